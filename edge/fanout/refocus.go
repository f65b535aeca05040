package fanout

import (
	"slices"

	"selvedge/edge/cache"
	"selvedge/wire"
)

// Focus has the session get frames of these of its rooms only, or of all; of the
// others it is told by activity. A room that it gains comes as a late channel,
// from where it was left: reply is made of these positions. One without frames
// since then needs nothing if all are shown. absent are rooms that the user is not in:
// they have the focus when they are joined. Both lists are taken over.
func (k *Socket) Focus(rooms []*cache.Channel, absent []wire.Channel, all bool, reply func(late map[wire.Channel]wire.Seq) []byte) {
	k.shard.post(mail{fn: func(s *shard) { s.focus(k, rooms, absent, all, reply) }})
}

// focus is Socket.Focus.
func (s *shard) focus(k *Socket, rooms []*cache.Channel, absent []wire.Channel, all bool, reply func(map[wire.Channel]wire.Seq) []byte) {
	if k.state != running {
		return
	}
	absent = slices.DeleteFunc(absent, func(name wire.Channel) bool {
		ch := s.roomOf(k, name)
		if ch != nil { // it was joined while this was on its way
			rooms = append(rooms, ch)
		}
		return ch != nil
	})
	var gained, lost []*cache.Channel
	switch f := k.more().focus; {
	case all && (f == nil || f.all):
	case all:
		gained = s.showAll(k)
	case f == nil || f.all:
		lost = s.showOnly(k, rooms, absent)
	default:
		k.extra.focus.absent = absent
		gained, lost = s.showOthers(k, rooms)
	}
	late := make(map[wire.Channel]wire.Seq, len(gained))
	for _, ch := range gained {
		late[ch.Name] = k.extra.focus.left[ch]
	}
	s.reply(k, reply(late))
	if k.state != running {
		return // it was too slow
	}
	for _, ch := range lost {
		s.look(k, ch)
	}
	s.catchUp(k)
	k.settle()
}

// showAll ends a focus. gained are the rooms that have frames to catch up on.
func (s *shard) showAll(k *Socket) (gained []*cache.Channel) {
	f := k.extra.focus
	for ch := range s.numbers.All(k.user.rooms) {
		if !isRoom(ch) || f.shows(ch) {
			continue
		}
		if _, own := f.left[ch]; !own {
			if last, _, known := ch.Moved(f.base[ch.P]); known && last == 0 {
				continue
			}
			f.left[ch] = f.base[ch.P]
		}
		gained = append(gained, ch)
	}
	f.all, f.show, f.absent, f.told, f.unsure = true, nil, nil, nil, nil
	return gained
}

// showOnly begins a focus where all rooms were shown. lost are those that are not
// any more.
func (s *shard) showOnly(k *Socket, rooms []*cache.Channel, absent []wire.Channel) (lost []*cache.Channel) {
	x := k.extra
	f := newFocus(rooms, absent, slices.Clone(s.pos))
	for _, l := range x.lags {
		f.base[l.p] = l.at
	}
	if x.focus != nil {
		f.left = x.focus.left
	}
	x.focus = f
	for ch := range s.numbers.All(k.user.rooms) {
		if k.hides(ch) {
			lost = append(lost, ch)
		}
	}
	for _, l := range slices.Clone(x.late) {
		if k.hides(l.ch) {
			s.lose(k, l.ch)
		}
	}
	for ch := range x.behind {
		if k.hides(ch) {
			s.lose(k, ch)
		}
	}
	return lost
}

// showOthers changes which rooms have the focus.
func (s *shard) showOthers(k *Socket, rooms []*cache.Channel) (gained, lost []*cache.Channel) {
	f := k.extra.focus
	was := f.show
	f.show = rooms
	for _, ch := range was {
		if !f.shows(ch) && s.numbers.Has(k.user.rooms, ch) {
			s.lose(k, ch)
			lost = append(lost, ch)
		}
	}
	for _, ch := range rooms {
		if slices.Contains(was, ch) || !isRoom(ch) || !s.numbers.Has(k.user.rooms, ch) {
			continue
		}
		at := f.leftAt(ch)
		f.forget(ch)
		f.left[ch] = at
		gained = append(gained, ch)
	}
	return gained, lost
}

// roomOf is the room of that name that k's user is in, or nil.
func (s *shard) roomOf(k *Socket, name wire.Channel) *cache.Channel {
	for ch := range s.numbers.Of(k.user.rooms, wire.LogOf(name, len(s.pos))) {
		if ch.Name == name {
			return ch
		}
	}
	return nil
}

// lose notes where k stands in a room that is not shown any more.
func (s *shard) lose(k *Socket, ch *cache.Channel) {
	x := k.extra
	if _, owed := x.focus.left[ch]; !owed {
		x.focus.left[ch] = k.positionOf(ch, s.pos[ch.P])
	}
	x.late = slices.DeleteFunc(x.late, func(l late) bool { return l.ch == ch })
	delete(x.behind, ch)
}
