package fanout

import (
	"slices"

	"selvedge/edge/cache"
	"selvedge/wire"
)

// start begins a session on k: the welcome, then it lags on every log from
// where it stands, which is over at once where there is nothing to catch up.
func (s *shard) start(k *Socket, st *Start) {
	if k.state != greeting || k.conn == nil {
		return
	}
	k.state = running
	k.user = s.addUser(st.User, st.Rooms)
	k.user.sockets = append(k.user.sockets, k)
	s.push(k, st.Welcome)
	x := k.more()
	for _, ch := range st.Topics {
		s.addTopic(k, ch)
	}
	for p := range s.pos {
		x.lags = append(x.lags, lag{wire.LogID(p), st.At[p]})
	}
	for ch, at := range st.Behind {
		switch {
		case at < st.At[ch.P]: // cut in the middle of its back frames
			x.late = append(x.late, late{ch, at})
		case at > st.At[ch.P]:
			s.setBehind(k, ch, at)
		}
	}
	for _, j := range st.Joined {
		s.push(k, j.Packet)
		if at, ok := st.Behind[j.Ch]; !ok || at < j.From {
			delete(x.behind, j.Ch)
			x.late = slices.DeleteFunc(x.late, func(l late) bool { return l.ch == j.Ch })
			x.late = append(x.late, late{j.Ch, j.From})
		}
	}
	s.catchUp(k)
}

// join is Engine.Join in this shard.
func (s *shard) join(id wire.UserID, ch *cache.Channel, from wire.Seq, joined Packets) {
	u := s.users[id]
	if u == nil || u.hasRoom(ch) {
		return
	}
	s.addMember(ch, u)
	for _, k := range u.sockets {
		s.push(k, joined[k.codec])
		s.begin(k, ch, from)
	}
}

// leave is Engine.Leave in this shard.
func (s *shard) leave(id wire.UserID, ch *cache.Channel, left Packets) {
	u := s.users[id]
	if u == nil || !u.hasRoom(ch) {
		return
	}
	u.rooms = slices.DeleteFunc(u.rooms, func(c *cache.Channel) bool { return c == ch })
	s.removeMember(ch, u)
	for _, k := range u.sockets {
		s.end(k, ch)
		s.push(k, left[k.codec])
	}
}

// begin makes ch late on k from a position.
func (s *shard) begin(k *Socket, ch *cache.Channel, from wire.Seq) {
	x := k.more()
	delete(x.behind, ch)
	x.late = append(x.late, late{ch, from})
	s.catchUp(k)
}

// end forgets what k knows of ch.
func (s *shard) end(k *Socket, ch *cache.Channel) {
	if x := k.extra; x != nil {
		x.late = slices.DeleteFunc(x.late, func(l late) bool { return l.ch == ch })
		delete(x.behind, ch)
		k.settle()
	}
}

func (s *shard) addTopic(k *Socket, ch *cache.Channel) bool {
	x := k.more()
	if slices.Contains(x.topics, ch) {
		return false
	}
	x.topics = append(x.topics, ch)
	a := s.audience(ch)
	a.sockets = append(a.sockets, k)
	return true
}

func (s *shard) subscribe(k *Socket, ch *cache.Channel, since *wire.Seq, reply func(wire.Seq) []byte) {
	if k.state != running {
		return
	}
	from := s.pos[ch.P]
	if since != nil {
		from = *since
	}
	fresh := s.addTopic(k, ch)
	s.reply(k, reply(from))
	if fresh || since != nil {
		s.end(k, ch)
		s.begin(k, ch, from)
	}
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

// signal hands on what isn't kept: a socket with much pending goes without.
func (s *shard) signal(ch *cache.Channel, from wire.UserID, sig Packets) {
	a := s.index[ch]
	if a == nil {
		return
	}
	give := func(k *Socket) {
		if k.state == running && k.pending <= s.e.cfg.Budget && (k.user == nil || k.user.id != from) {
			s.push(k, sig[k.codec])
		}
	}
	for _, u := range a.users {
		for _, k := range u.sockets {
			give(k)
		}
	}
	for _, k := range a.sockets {
		give(k)
	}
}
