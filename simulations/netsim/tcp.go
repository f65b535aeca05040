package netsim

import (
	"slices"
	"time"
)

// The model of TCP: three-way handshake with lost SYNs sent again; segments of
// 1,448 bytes in order of their numbers, head-of-line blocking included;
// windows of the receiver, so that who does not read stops who writes; ten
// segments at first, slow start, 7/10 after a loss; a lost segment is noticed
// when a later one is acknowledged (RFC 8985 without its reordering window), by
// a probe of the tail after two round trips, or by the timeout of RFC 6298 with
// Linux' least of 200 ms, doubled each time; half-close, reset.
//
// Not modelled: delayed acknowledgements, Nagle, sequence numbers as such,
// simultaneous open, TIME_WAIT, keep-alives, SYN cookies.

const (
	// mss is the largest segment's data, and tcpHeaders IPv4's and TCP's with
	// timestamps, in bytes.
	mss        = 1448
	tcpHeaders = 52
	firstCwnd  = 10 * mss
	leastRTO   = 200 * time.Millisecond
	mostRTO    = 2 * time.Minute
	firstRTO   = time.Second
	// retries is how often a segment is sent again before the connection is
	// given up: Linux' tcp_retries2, a quarter of an hour.
	retries = 15
)

// segment is a piece of the stream on its way.
type segment struct {
	seq  uint64
	data []byte
	fin  bool // the stream ends after data
}

// end is the number after the segment; a FIN counts as a byte.
func (s *segment) end() uint64 {
	end := s.seq + uint64(len(s.data))
	if s.fin {
		end++
	}
	return end
}

// receiver is the receiving half of a Conn.
type receiver struct {
	next    uint64             // all before it has arrived
	early   map[uint64]segment // by seq: beyond next
	unread  []byte             // before next
	ended   bool               // a FIN was before next
	granted uint64             // the peer may send up to here
}

// nothing stands for no segment where an acknowledgement names one.
const nothing = ^uint64(0)

// arriveLocked takes a segment of the peer.
func (c *Conn) arriveLocked(s segment) {
	in := &c.in
	switch {
	case c.state == dead, c.closed && len(s.data) > 0 && s.end() > in.next:
		c.resetLocked()
		return
	case c.state == called:
		if c.acceptedLocked(); c.state == dead {
			return
		}
	}
	if s.seq > in.next {
		in.early[s.seq] = s
	}
	for ok := s.seq == in.next; ok; s, ok = in.early[in.next] {
		delete(in.early, s.seq)
		in.next = s.end()
		in.unread = append(in.unread, s.data...)
		in.ended = in.ended || s.fin
		if len(s.data) == 0 && !s.fin {
			break // a probe
		}
	}
	c.readable.Broadcast()
	c.ackLocked(s.seq)
}

// takeLocked reads, and tells the peer when there is room again.
func (c *Conn) takeLocked(p []byte) int {
	in := &c.in
	k := copy(p, in.unread)
	if in.unread = in.unread[k:]; len(in.unread) == 0 {
		in.unread = nil
	}
	half := uint64(c.n.cfg.Buffer / 2)
	if c.state == established && in.granted-min(in.next, in.granted) < half && c.grantLocked() >= in.granted+half/2 {
		c.ackLocked(nothing)
	}
	return k
}

// grantLocked is how far the peer may send.
func (c *Conn) grantLocked() uint64 {
	return c.in.next + uint64(c.n.cfg.Buffer-min(len(c.in.unread), c.n.cfg.Buffer))
}

// ackLocked tells the peer how far all is here, how far it may send, and which
// segment made us say so.
func (c *Conn) ackLocked(of uint64) {
	c.in.granted = max(c.in.granted, c.grantLocked())
	upTo, limit := c.in.next, c.in.granted
	peer := c.peer
	c.sendLocked(0, func() { peer.ackedLocked(upTo, limit, of) })
}

// flying is a segment that was sent.
type flying struct {
	segment
	at      int64  // when it was sent last
	order   uint64 // of that sending among all
	again   bool   // it was sent more than once
	arrived bool
}

// sender is the sending half of a Conn.
type sender struct {
	pending []byte // not sent yet
	ending  bool   // a FIN follows pending
	ended   bool   // it was sent
	next    uint64 // the number of what is sent next
	limit   uint64 // the peer takes no more
	flight  []*flying
	bytes   int // of flight, that have not arrived
	sends   uint64

	cwnd, threshold int
	recovered       uint64 // a loss before it has been paid for

	srtt, rttvar, best time.Duration // best = the shortest
	tries              int           // timeouts in a row
	probed             bool          // the tail, since anything arrived
	deadline, timer    int64         // of the timeout; when its event comes. 0 = none
}

func newSender(limit uint64) sender {
	return sender{limit: limit, cwnd: firstCwnd, threshold: 1 << 30}
}

// held is what the buffer has, in bytes.
func (o *sender) held() int { return len(o.pending) + o.bytes }

// pushLocked sends what may be sent.
func (c *Conn) pushLocked() {
	o := &c.out
	if c.state != established {
		return
	}
	before := o.next
	for o.bytes < o.cwnd {
		k := min(len(o.pending), mss, int(o.limit-min(o.next, o.limit)))
		fin := o.ending && !o.ended && k == len(o.pending)
		if k == 0 && !fin {
			break
		}
		f := &flying{segment: segment{seq: o.next, data: slices.Clone(o.pending[:k]), fin: fin}}
		o.pending = o.pending[k:]
		o.next, o.ended = f.end(), o.ended || fin
		o.flight = append(o.flight, f)
		o.bytes += k
		c.transmitLocked(f)
	}
	if len(o.pending) == 0 {
		o.pending = nil
	}
	if o.deadline == 0 || o.next > before && o.tail() {
		c.armLocked()
	}
}

func (c *Conn) transmitLocked(f *flying) {
	c.out.sends++
	f.again = f.at != 0
	f.at, f.order = time.Now().UnixNano(), c.out.sends
	s, peer := f.segment, c.peer
	c.sendLocked(len(s.data), func() { peer.arriveLocked(s) })
}

// ackedLocked takes an acknowledgement of the peer.
func (c *Conn) ackedLocked(upTo, limit, of uint64) {
	if c.state == called {
		c.acceptedLocked()
	}
	if c.state == dead {
		return
	}
	o := &c.out
	o.limit = max(o.limit, limit)
	now, arrived, newest := time.Now().UnixNano(), 0, uint64(0)
	o.flight = slices.DeleteFunc(o.flight, func(f *flying) bool {
		acked := f.end() <= upTo
		if !f.arrived && (acked || f.seq == of) {
			f.arrived = true
			o.bytes -= len(f.data)
			arrived += f.segmentSize()
			rtt := time.Duration(now - f.at)
			if !f.again {
				o.sample(rtt)
			}
			if !f.again || rtt >= o.best {
				newest = max(newest, f.order)
			}
		}
		return acked
	})
	if arrived > 0 {
		o.tries, o.probed = 0, false
		o.grow(arrived)
		c.resendLocked(newest)
		c.writable.Broadcast()
	}
	if o.ended && len(o.flight) == 0 && c.closed {
		c.dieOfLocked(nil) // the peer has all: nobody is left to care
		return
	}
	c.pushLocked()
	if arrived > 0 || len(o.flight) == 0 {
		c.armLocked()
	}
}

// segmentSize is what an arrival is worth: a FIN something too.
func (f *flying) segmentSize() int { return int(f.end() - f.seq) }

// resendLocked sends again what was sent before something that has arrived.
func (c *Conn) resendLocked(newest uint64) {
	o := &c.out
	for _, f := range o.flight {
		if f.arrived || f.order >= newest {
			continue
		}
		if f.seq >= o.recovered {
			o.recovered = o.next
			o.threshold = max(o.cwnd*7/10, 2*mss)
			o.cwnd = o.threshold
		}
		c.transmitLocked(f)
	}
}

// grow widens the window for so many bytes that arrived.
func (o *sender) grow(arrived int) {
	if o.cwnd < o.threshold {
		o.cwnd += arrived
		return
	}
	o.cwnd += max(1, mss*arrived/o.cwnd)
}

// sample is RFC 6298, section 2.
func (o *sender) sample(rtt time.Duration) {
	if o.srtt == 0 {
		o.srtt, o.rttvar, o.best = rtt, rtt/2, rtt
		return
	}
	o.best = min(o.best, rtt)
	o.rttvar = (3*o.rttvar + (o.srtt - rtt).Abs()) / 4
	o.srtt = (7*o.srtt + rtt) / 8
}

// timeout is how long to wait for an acknowledgement.
func (o *sender) timeout() time.Duration {
	if o.srtt == 0 {
		return min(firstRTO<<o.tries, mostRTO)
	}
	rto := o.srtt + max(leastRTO, 4*o.rttvar)
	if o.tail() {
		return min(2*o.srtt, rto)
	}
	return min(rto<<o.tries, mostRTO)
}

// tail reports whether the end of what flies is to be sent once more, to learn
// of losses sooner than by a timeout (RFC 8985, section 7).
// Not where something has arrived beyond a hole: that has told already.
func (o *sender) tail() bool {
	return !o.probed && o.tries == 0 && len(o.flight) > 1 && o.srtt > 0 &&
		!slices.ContainsFunc(o.flight, func(f *flying) bool { return f.arrived })
}

// armLocked sets the timeout anew, or ends it if there is nothing to wait for.
func (c *Conn) armLocked() {
	o := &c.out
	if len(o.flight) == 0 && len(o.pending) == 0 || c.state == dead {
		o.deadline = 0
		return
	}
	now := time.Now().UnixNano()
	o.deadline = now + int64(o.timeout())
	if o.tail() { // what is sent meanwhile puts a probe off, but not beyond the first one's timeout
		o.deadline = max(now, min(o.deadline, o.flight[0].at+int64(o.srtt+max(leastRTO, 4*o.rttvar))))
	}
	if o.timer == 0 || o.timer > o.deadline {
		c.wakeLocked(o.deadline)
	}
}

// wakeLocked looks at the timeout at a time. An event can't be taken back: one
// that an earlier one has replaced does nothing.
func (c *Conn) wakeLocked(at int64) {
	o := &c.out
	o.timer = at
	c.n.events.add(at, c.link.id, func() {
		if o.timer != at {
			return
		}
		o.timer = 0
		switch {
		case c.state == dead || o.deadline == 0:
		case at < o.deadline:
			c.wakeLocked(o.deadline)
		default:
			c.timedOutLocked()
		}
	})
	c.n.kickLocked()
}

// timedOutLocked sends something again, since no word came.
func (c *Conn) timedOutLocked() {
	o := &c.out
	var again *flying
	for _, f := range o.flight {
		if !f.arrived && (again == nil || o.tail()) {
			again = f // the first one, or the last
		}
	}
	switch {
	case o.tail():
		o.probed = true
	case o.tries == retries:
		c.dieOfLocked(errTimeout)
		return
	default:
		o.tries++
		o.threshold = max(o.bytes/2, 2*mss)
		o.cwnd = mss
	}
	if again != nil {
		c.transmitLocked(again)
	} else { // the peer's window is closed: ask whether it still is
		s, peer := segment{seq: o.next}, c.peer
		c.sendLocked(0, func() { peer.arriveLocked(s) })
	}
	c.armLocked()
}
