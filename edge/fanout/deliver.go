package fanout

import (
	"slices"

	"selvedge/edge/cache"
	"selvedge/wire"
)

// publish is the hot path: each frame to each socket that is live on its log.
func (s *shard) publish(b *Batch) {
	delivered := 0
	for _, f := range b.Frames {
		n := s.publishFrame(b.P, f)
		if n > 0 {
			s.e.cfg.Events.Delay(f.TS, n)
		}
		delivered += n
	}
	s.moveTo(b.P, max(b.Upto, s.pos[b.P]))
	if delivered > 0 {
		s.e.cfg.Events.Delivered(delivered)
	}
	for k := range s.ahead[b.P] {
		s.catchUp(k)
	}
}

func (s *shard) publishFrame(p wire.LogID, f *cache.Frame) (delivered int) {
	before := s.pos[p]
	if f.Seq <= before {
		return 0
	}
	s.pos[p] = f.Seq
	ch := f.Channel
	a := s.index[ch]
	if a == nil {
		return 0
	}
	var packets [wire.Codecs][]byte
	give := func(k *Socket) {
		if !k.takes(ch, f.Seq) {
			return
		}
		if f.Hole || k.pending > s.e.cfg.Budget {
			s.withhold(k, p, before, f.Hole)
			return
		}
		if packets[k.codec] == nil {
			packets[k.codec] = f.Packet(k.codec, false)
		}
		s.push(k, packets[k.codec])
		delivered++
	}
	for _, u := range a.users {
		for _, k := range u.sockets {
			give(k)
		}
	}
	for _, k := range a.sockets {
		if k.user == nil || !k.user.hasRoom(ch) { // once per session
			give(k)
		}
	}
	return delivered
}

// withhold makes a socket lag: it had everything up to at, and reads the rest
// from the cache (rule 12).
func (s *shard) withhold(k *Socket, p wire.LogID, at wire.Seq, hole bool) {
	x := k.more()
	x.lags = append(x.lags, lag{p, at})
	if hole {
		s.queueCatchUp(k)
		return
	}
	x.full = true
	s.e.cfg.Events.Withheld("slow")
}

// push queues a message that is pending already encoded. Its memory is shared.
func (s *shard) push(k *Socket, packet []byte) {
	if k.state >= closing {
		return
	}
	if k.out == nil {
		k.out = s.takeList()
	}
	k.out = append(k.out, packet)
	k.pending += len(packet)
	if !k.dirty {
		k.dirty = true
		s.dirty = append(s.dirty, k)
	}
}

// reply queues what can't be resumed: past twice the budget the socket goes, and
// leaves the index.
func (s *shard) reply(k *Socket, packet []byte) {
	if k.pending > 2*s.e.cfg.Budget && k.state < closing && k.conn != nil {
		s.flush(k) // much at once is not slow yet
	}
	if k.pending > 2*s.e.cfg.Budget {
		s.closeSlow(k)
		return
	}
	s.push(k, packet)
}

// closeSlow closes a socket that takes nothing: its pending bytes are dropped,
// the close frame is all that still matters.
func (s *shard) closeSlow(k *Socket) {
	if k.state >= closing || k.conn == nil {
		return
	}
	if k.offset == 0 { // else the rest of a message must go first
		k.out, k.pending = nil, 0
	} else {
		rest := len(k.out[0]) - k.offset
		k.out, k.pending = slices.Clone(k.out[:1]), rest
	}
	s.closeSocket(k, wire.CloseSlow, "too slow")
}

const (
	// maxLists bounds the lists that a shard keeps for reuse: as many sockets as
	// usually get something in one turn.
	maxLists = 16 << 10
	// maxListCap is the longest list that is kept.
	maxListCap = 4
)

// takeList is an empty list of packets. An idle socket has none, and one that
// gets a frame needs none of its own: it is written in the same turn.
func (s *shard) takeList() [][]byte {
	n := len(s.lists) - 1
	if n < 0 {
		return nil
	}
	l := s.lists[n]
	s.lists[n] = nil
	s.lists = s.lists[:n]
	return l
}

// giveList takes a list back, all of whose packets are written.
func (s *shard) giveList(l [][]byte) {
	if len(s.lists) < maxLists && cap(l) <= maxListCap {
		s.lists = append(s.lists, l[:0])
	}
}

// flushDirty writes to every socket that has something to write. Closing
// sockets and catching up may add to the list meanwhile.
func (s *shard) flushDirty() {
	for i := 0; i < len(s.dirty); i++ {
		k := s.dirty[i]
		s.dirty[i] = nil
		k.dirty = false
		if k.conn != nil && k.state != closed {
			s.flush(k)
		}
	}
	s.dirty = s.dirty[:0]
}

// flush writes what is pending, as far as the socket takes it.
func (s *shard) flush(k *Socket) {
	if len(k.out) == 0 {
		return
	}
	first := k.out[0]
	k.out[0] = first[k.offset:]
	s.e.cfg.Events.Writes(1)
	if k.state == closing { // the rest is the transport's
		k.conn.CloseAfterWrite(k.out, nil)
		k.out, k.offset, k.pending = nil, 0, 0
		return
	}
	n, err := k.conn.Write(k.out)
	k.out[0] = first // whole, so that offset goes on telling that it was begun
	if err != nil {
		return // the connection closes by itself: Closed follows
	}
	k.consume(n)
	s.updateReading(k)
	if x := k.extra; x != nil && x.full && k.pending <= s.e.cfg.Budget/2 {
		x.full = false
		s.queueCatchUp(k)
	}
}

// consume drops n written bytes; what is left of out[0] is at offset.
func (k *Socket) consume(n int) {
	k.pending -= n
	n += k.offset
	i := 0
	for i < len(k.out) && n >= len(k.out[i]) {
		n -= len(k.out[i])
		k.out[i] = nil
		i++
	}
	if i == len(k.out) {
		k.shard.giveList(k.out)
		k.out, k.offset = nil, 0
		return
	}
	k.out, k.offset = k.out[i:], n
}
