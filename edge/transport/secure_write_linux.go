package transport

// write encrypts records as long as the socket takes them at once: what is
// left behind is one record at most.
func (s *secure) write(c *Conn, bufs [][]byte) (int, error) {
	if c.state&(closing|finishing) != 0 {
		return 0, ErrClosed
	}
	if c.state&wantWrite != 0 {
		return 0, nil
	}
	n, all, err := s.seal(bufs, false)
	if err != nil {
		s.l.shut(c, err)
		return n, err
	}
	if !all {
		c.state |= wantWrite
	}
	s.noteBacklog()
	s.l.arm(c)
	return n, nil
}

// seal encrypts bufs and returns how many bytes of them it took, and whether
// that is all. While ciphertext waits it takes none, unless it must.
func (s *secure) seal(bufs [][]byte, must bool) (n int, all bool, err error) {
	if s.l.record == nil {
		s.l.record = make([]byte, 0, maxRecord)
	}
	var b []byte // what is left of the first of bufs
	for {
		var record []byte
		if record, b, bufs = s.l.gather(b, bufs); len(record) == 0 {
			return n, true, nil
		}
		if len(s.t.pipe.out) > 0 && !must {
			return n, false, nil
		}
		k, err := s.t.tls.Write(record)
		if n += k; err != nil {
			return n, false, err
		}
	}
}

// gather is the next record's plaintext, copied only where buffers are joined,
// and what is left of b and bufs.
func (l *epoll) gather(b []byte, bufs [][]byte) (record, restB []byte, restBufs [][]byte) {
	for len(b) == 0 && len(bufs) > 0 {
		b, bufs = bufs[0], bufs[1:]
	}
	if len(b) >= maxRecord || len(bufs) == 0 {
		k := min(len(b), maxRecord)
		return b[:k], b[k:], bufs
	}
	record = l.record[:0]
	for {
		k := min(len(b), maxRecord-len(record))
		record, b = append(record, b[:k]...), b[k:]
		if len(record) == maxRecord || len(bufs) == 0 {
			return record, b, bufs
		}
		b, bufs = bufs[0], bufs[1:]
	}
}

// noteBacklog has the loop wait for room if ciphertext waits.
func (s *secure) noteBacklog() {
	c := &s.Conn
	if c.state &^= flushing; len(s.t.pipe.out) > 0 {
		c.state |= flushing
	}
}

// writable serves a socket that has room again.
func (s *secure) writable() {
	l, c := s.l, &s.Conn
	if err := s.t.pipe.flush(); err != nil {
		l.shut(c, err)
		return
	}
	if s.noteBacklog(); c.state&(flushing|wantWrite) == wantWrite {
		c.state &^= wantWrite
		l.h.Writable(c)
	}
}

// finish encrypts all that is left to say and the goodbye. From there on the
// conn is a plain one with ciphertext to write.
func (s *secure) finish(c *Conn, last [][]byte, err error) {
	if c.state&(closing|finishing) != 0 {
		return
	}
	s.t.pipe.last = true
	_, _, failed := s.seal(last, true)
	if failed == nil {
		failed = s.t.tls.CloseWrite()
	}
	if failed != nil {
		s.l.shut(c, err)
		return
	}
	c.drv = s.l
	c.state &^= secured | flushing | queued
	s.l.farewell(c, s.t.pipe.out, err)
	s.t = nil
}

// bye says goodbye if that costs no waiting, and gives t back.
func (s *secure) bye() {
	if len(s.t.pipe.out) == 0 && s.fd >= 0 {
		s.t.pipe.last = true
		_ = s.t.tls.CloseWrite()
	}
	s.t = nil
}
