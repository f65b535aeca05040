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
	var packets [cache.Forms][]byte
	var objects []Object
	s.each(ch, func(k *Socket) {
		if k.extra != nil && !s.takes(k, ch, f.Seq) {
			return
		}
		if f.Hole || k.pending() > s.e.cfg.Budget {
			s.withhold(k, p, before, f.Hole)
			return
		}
		if packets[k.form] == nil {
			packets[k.form] = f.PacketIn(k.form, false)
		}
		if delivered == 0 {
			objects = s.objectsOf(f)
		}
		if len(objects) > 0 {
			s.show(k, objects)
		}
		s.push(k, packets[k.form])
		delivered++
	})
	return delivered
}

// takes reports whether k gets a live frame at seq of ch: it is live on its log,
// the channel isn't late, and its own position, if it has one, is not past it
// (rule 3). Of a room out of its focus it is told instead. k has an extra.
func (s *shard) takes(k *Socket, ch *cache.Channel, seq wire.Seq) bool {
	x := k.extra
	if x.focus != nil && k.skips(ch) {
		if !x.focus.shows(ch) {
			s.activity(k, ch, seq)
		}
		return false
	}
	if x.lagOf(ch.P) != nil || x.lateOf(ch) != nil {
		return false
	}
	return seq > x.behind[ch]
}

// each calls give with each session that gets the frames of ch, once.
func (s *shard) each(ch *cache.Channel, give func(*Socket)) {
	if owner, ok := ch.Name.Inbox(); ok {
		if u := s.users.Get(owner); u != nil && u.rooms.inbox == ch {
			u.each(give)
		}
		return
	}
	a := s.index[ch]
	if a == nil {
		return
	}
	for n := range a.members.all() {
		s.slots[n].each(give)
	}
	for _, k := range a.subscribers() {
		if k.user == nil || !s.numbers.Has(k.user.rooms, ch) {
			give(k)
		}
	}
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
		k.out = s.takeOutbox()
	}
	k.out.packets = append(k.out.packets, packet)
	k.out.pending += len(packet)
	if !k.is(dirty) {
		k.flags |= dirty
		s.dirty = append(s.dirty, k)
	}
}

// reply queues what can't be resumed: past twice the budget the socket goes, and
// leaves the index.
func (s *shard) reply(k *Socket, packet []byte) {
	if k.pending() > 2*s.e.cfg.Budget && k.state < closing && k.conn != nil {
		s.flush(k) // much at once is not slow yet
	}
	if k.pending() > 2*s.e.cfg.Budget {
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
	if o := k.out; o != nil && o.offset > 0 { // the rest of a message must go first
		o.packets, o.pending = slices.Clone(o.packets[:1]), len(o.packets[0])-o.offset
	} else {
		k.out = nil
	}
	s.closeSocket(k, wire.CloseSlow, "too slow")
}

const (
	// maxOutboxes bounds the outboxes that a shard keeps for reuse: as many
	// sockets as usually get something in one turn.
	maxOutboxes = 16 << 10
	// maxOutboxCap is the longest list of packets that is kept with one.
	maxOutboxCap = 4
)

// takeOutbox is an empty outbox. An idle socket has none, and one that gets a
// frame needs none of its own: it is written in the same turn.
func (s *shard) takeOutbox() *outbox {
	n := len(s.outboxes) - 1
	if n < 0 {
		return &outbox{}
	}
	o := s.outboxes[n]
	s.outboxes[n] = nil
	s.outboxes = s.outboxes[:n]
	return o
}

// giveOutbox takes an outbox back, all of whose packets are written.
func (s *shard) giveOutbox(o *outbox) {
	if cap(o.packets) > maxOutboxCap {
		o.packets = nil
	}
	o.packets, o.offset, o.pending = o.packets[:0], 0, 0
	if len(s.outboxes) < maxOutboxes {
		s.outboxes = append(s.outboxes, o)
	}
}

// flushDirty writes to every socket that has something to write. Closing
// sockets and catching up may add to the list meanwhile.
func (s *shard) flushDirty() {
	for i := 0; i < len(s.dirty); i++ {
		k := s.dirty[i]
		s.dirty[i] = nil
		k.flags &^= dirty
		if k.conn != nil && k.state != closed {
			s.flush(k)
		}
	}
	s.dirty = s.dirty[:0]
	if s.writes > 0 {
		s.e.cfg.Events.Writes(s.writes)
		s.writes = 0
	}
}

// flush writes what is pending, as far as the socket takes it.
func (s *shard) flush(k *Socket) {
	o := k.out
	if o == nil {
		return
	}
	first := o.packets[0]
	o.packets[0] = first[o.offset:]
	s.writes++
	if k.state == closing { // the rest is the transport's
		k.conn.CloseAfterWrite(o.packets, nil)
		k.out = nil
		return
	}
	n, err := k.conn.Write(o.packets)
	o.packets[0] = first // whole, so that offset goes on telling that it was begun
	if err != nil {
		return // the connection closes by itself: Closed follows
	}
	if o.consume(n) {
		k.out = nil
		s.giveOutbox(o)
	}
	s.updateReading(k)
	if x := k.extra; x != nil && x.full && k.pending() <= s.e.cfg.Budget/2 {
		x.full = false
		s.queueCatchUp(k)
	}
}

// consume drops n written bytes, and reports whether that was all.
func (o *outbox) consume(n int) (empty bool) {
	o.pending -= n
	n += o.offset
	i := 0
	for i < len(o.packets) && n >= len(o.packets[i]) {
		n -= len(o.packets[i])
		o.packets[i] = nil
		i++
	}
	if i == len(o.packets) {
		return true
	}
	o.packets, o.offset = o.packets[i:], n
	return false
}
