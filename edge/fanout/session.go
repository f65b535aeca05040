package fanout

import (
	"slices"

	"selvedge/edge/cache"
	"selvedge/wire"
)

// start begins a session on k: the welcome, then it lags on every log from
// where it stands, but for those where there is nothing to catch up.
func (s *shard) start(k *Socket, st *Start) {
	if k.state == greeting && k.conn != nil {
		s.begin(k, st)
	} else {
		s.numbers.Release(st.Rooms)
	}
	if st.Done != nil {
		s.begun = append(s.begun, begun{k, st})
	}
}

// begun is a start that is to be given back when its socket has nothing pending.
type begun struct {
	k  *Socket
	st *Start
}

// giveBack gives the starts of this turn back, whose welcomes have been written.
// Others are left to the collector.
func (s *shard) giveBack() {
	for i, b := range s.begun {
		if b.k.out == nil {
			b.st.Done()
		}
		s.begun[i] = begun{}
	}
	if s.begun = s.begun[:0]; cap(s.begun) > 1024 { // a storm's list is not kept
		s.begun = nil
	}
}

// begin is start for a socket that is there. It keeps nothing of st but what is
// pending.
func (s *shard) begin(k *Socket, st *Start) {
	k.state = running
	k.expires = unixSeconds(st.Expires)
	s.addUser(st.User, st.Rooms).attach(k)
	s.push(k, st.Welcome)
	for _, ch := range st.Topics {
		s.addTopic(k, ch)
	}
	if st.Focused {
		k.more().focus = newFocus(st.Focus, st.Absent, slices.Clone(st.At))
	}
	lacking := s.lacking(k)
	for p := range s.pos {
		if p := wire.LogID(p); st.At[p] != s.pos[p] || lacking[p] {
			x := k.more()
			x.lags = append(x.lags, lag{p, st.At[p]})
		}
	}
	// A channel with a position of its own is late until that is the log's: the
	// client knows that it is done by `live`.
	for ch, at := range st.Behind {
		k.more().beLate(ch, at)
	}
	for ch, from := range st.From {
		x := k.more()
		switch l := x.lateOf(ch); {
		case l != nil:
			l.at = max(l.at, from)
		case k.skips(ch):
			x.focus.left[ch] = max(x.focus.left[ch], from)
		default:
			s.setBehind(k, ch, from)
		}
	}
	for _, j := range st.Joined {
		s.push(k, j.Packet)
		if at, ok := st.Behind[j.Ch]; !ok || at < j.From {
			x := k.more()
			x.late = slices.DeleteFunc(x.late, func(l late) bool { return l.ch == j.Ch })
			x.beLate(j.Ch, j.From)
		}
	}
	if st.Focused {
		for p := range s.pos {
			s.lookAround(k, wire.LogID(p))
		}
	}
	s.catchUp(k)
}

// lacking says by log whether the cache lacks something of k's channels that comes
// after the log's position: where it doesn't there is nothing to catch up on. It
// is valid until the next call.
func (s *shard) lacking(k *Socket) []bool {
	if s.lacks == nil {
		s.lacks = make([]bool, len(s.pos))
	}
	clear(s.lacks)
	look := func(ch *cache.Channel) {
		if floor, live := ch.Floor(); !live || floor > s.pos[ch.P] {
			s.lacks[ch.P] = true
		}
	}
	for ch := range s.numbers.All(k.user.rooms) {
		look(ch)
	}
	if k.extra != nil {
		for _, ch := range k.extra.topics {
			look(ch)
		}
	}
	return s.lacks
}

// join is Engine.Join in this shard.
func (s *shard) join(id wire.UserID, ch *cache.Channel, from wire.Seq, joined Packets) {
	u := s.users.Get(id)
	if u == nil || s.numbers.Has(u.rooms, ch) {
		return
	}
	s.addMember(ch, u)
	for k := range u.sockets() { // one that is too slow leaves
		s.reply(k, joined[k.Codec()])
		s.beginAt(k, ch, from)
	}
}

// leave is Engine.Leave in this shard.
func (s *shard) leave(id wire.UserID, ch *cache.Channel, left Packets) {
	u := s.users.Get(id)
	if u == nil || !s.numbers.Has(u.rooms, ch) {
		return
	}
	s.removeMember(ch, u)
	for k := range u.sockets() {
		s.end(k, ch)
		s.reply(k, left[k.Codec()])
	}
}

// beginAt makes ch late on k from a position.
func (s *shard) beginAt(k *Socket, ch *cache.Channel, from wire.Seq) {
	if k.state != running {
		return
	}
	x := k.more()
	delete(x.behind, ch)
	if x.focus != nil {
		x.focus.renew(ch)
	}
	x.beLate(ch, from)
	if k.hides(ch) {
		s.look(k, ch)
	}
	s.catchUp(k)
}

// end forgets what k knows of ch.
func (s *shard) end(k *Socket, ch *cache.Channel) {
	if x := k.extra; x != nil {
		x.late = slices.DeleteFunc(x.late, func(l late) bool { return l.ch == ch })
		delete(x.behind, ch)
		if x.focus != nil {
			x.focus.forget(ch)
		}
		if x.lagOf(ch.P) != nil {
			s.queueCatchUp(k) // ch may have been all that its log waited for
		}
		k.settle()
	}
}

func (s *shard) addTopic(k *Socket, ch *cache.Channel) bool {
	x := k.more()
	if slices.Contains(x.topics, ch) {
		return false
	}
	x.topics = append(x.topics, ch)
	s.audience(ch).subscribe(k)
	return true
}

func (s *shard) subscribe(k *Socket, ch *cache.Channel, since *wire.Seq, reply func(wire.Seq) []byte) {
	if k.state != running {
		return
	}
	from := s.pos[ch.P]
	fresh := s.addTopic(k, ch)
	switch {
	case since != nil:
		from = *since
	case !fresh:
		from = k.positionOf(ch, from)
	}
	s.reply(k, reply(from))
	s.end(k, ch)
	s.beginAt(k, ch, from)
}

func (s *shard) unsubscribe(k *Socket, ch *cache.Channel) {
	x := k.extra
	if x == nil || !slices.Contains(x.topics, ch) {
		return
	}
	x.topics = slices.DeleteFunc(x.topics, func(c *cache.Channel) bool { return c == ch })
	s.removeSubscriber(ch, k)
	s.end(k, ch)
}

// signal hands on what isn't kept: a socket with much pending goes without, and
// so does one that has the focus elsewhere.
func (s *shard) signal(ch *cache.Channel, from wire.UserID, sig Packets) {
	s.each(ch, func(k *Socket) {
		if k.state == running && k.pending() <= s.e.cfg.Budget && (k.user == nil || k.user.id != from) && !k.hides(ch) {
			s.push(k, sig[k.Codec()])
		}
	})
}
