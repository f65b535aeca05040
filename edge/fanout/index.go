package fanout

import (
	"iter"
	"slices"

	"selvedge/edge/cache"
	"selvedge/wire"
)

// user is a user with sockets in this shard. Memberships hang on it, not on the
// sockets.
type user struct {
	id     wire.UserID
	first  *Socket    // nil once the user is gone
	others *[]*Socket // most have none
	rooms  Rooms      // held
	slot   slot
	named  uint32 // audiences that name slot
}

// slot is a user's number in its shard. Its place in the rooms' lists is the
// largest part of a user's memory but for the list of its rooms: see members.
type slot uint32

// sockets are the user's sessions, the newest first. The loop's body may end the
// one that it is given.
func (u *user) sockets() iter.Seq[*Socket] {
	return func(yield func(*Socket) bool) {
		if u.others != nil {
			for _, k := range slices.Backward(*u.others) {
				if !yield(k) {
					return
				}
			}
		}
		if u.first != nil {
			yield(u.first)
		}
	}
}

// each calls fn with each of the user's sessions: sockets, for the hot path.
func (u *user) each(fn func(*Socket)) {
	if u.first == nil {
		return
	}
	fn(u.first)
	if u.others != nil {
		for _, k := range *u.others {
			fn(k)
		}
	}
}

func (u *user) attach(k *Socket) {
	k.user = u
	switch {
	case u.first == nil:
		u.first = k
	case u.others == nil:
		u.others = &[]*Socket{k}
	default:
		*u.others = append(*u.others, k)
	}
}

// detach removes k. first is nil then if it was the last.
func (u *user) detach(k *Socket) {
	k.user = nil
	if u.others == nil {
		u.first = nil
		return
	}
	list := *u.others
	if u.first == k {
		u.first, k = list[len(list)-1], list[len(list)-1]
	}
	if list = remove(list, k); list == nil {
		u.others = nil
		return
	}
	*u.others = list
}

// audience is who gets a channel's frames in this shard. An inbox needs none:
// its user is.
type audience struct {
	members members    // and some users that are gone
	gone    int32      // how many of them
	sockets *[]*Socket // its subscribers; nil = none, as of most rooms
}

// subscribers are the sockets that subscribed to it.
func (a *audience) subscribers() []*Socket {
	if a.sockets == nil {
		return nil
	}
	return *a.sockets
}

// subscribe adds a socket.
func (a *audience) subscribe(k *Socket) {
	if a.sockets == nil {
		a.sockets = new([]*Socket)
	}
	*a.sockets = append(*a.sockets, k)
}

// unsubscribe removes a socket.
func (a *audience) unsubscribe(k *Socket) {
	if list := remove(a.subscribers(), k); list != nil {
		*a.sockets = list
	} else {
		a.sockets = nil
	}
}

func (s *shard) audience(ch *cache.Channel) *audience {
	a := s.index[ch]
	if a == nil {
		a = &audience{}
		s.index[ch] = a
	}
	return a
}

func (s *shard) dropAudience(ch *cache.Channel, a *audience) {
	if a.members.n == 0 && a.sockets == nil {
		delete(s.index, ch)
	}
}

// addUser is the user of id, with these rooms if it is new here. They are held:
// by the user from here on, or not any more.
func (s *shard) addUser(id wire.UserID, rooms Rooms) *user {
	if u := s.users.Get(id); u != nil {
		s.numbers.Release(rooms)
		return u
	}
	u := &user{id: id, rooms: rooms}
	s.users.Add(u)
	if n := len(s.freeSlots); n > 0 {
		u.slot, s.freeSlots = s.freeSlots[n-1], s.freeSlots[:n-1]
		s.slots[u.slot] = u
	} else {
		u.slot = slot(len(s.slots))
		s.slots = append(s.slots, u)
	}
	for ch := range s.numbers.All(rooms) {
		s.enter(ch, u)
	}
	return u
}

// enter adds u to the audience of ch.
func (s *shard) enter(ch *cache.Channel, u *user) {
	if _, inbox := ch.Name.Inbox(); inbox {
		return
	}
	s.audience(ch).members.add(u.slot)
	u.named++
}

// dropUser forgets a user without sockets. The audiences are left to be swept
// when enough of them is gone: to look for one member in each room costs as
// much as the rooms are large, and when an edge loses its sockets, it loses
// them all. Until no audience names it, the slot is not given to anybody else.
func (s *shard) dropUser(u *user) {
	s.users.Delete(u)
	rooms := u.rooms
	u.rooms = Rooms{}
	for ch := range s.numbers.All(rooms) {
		if a := s.index[ch]; a != nil {
			if a.gone++; a.gone*4 > a.members.n+4 || a.gone == a.members.n {
				s.sweep(ch, a)
			}
		}
	}
	s.numbers.Release(rooms)
	s.giveSlot(u)
}

// sweep takes the users that are gone out of an audience.
func (s *shard) sweep(ch *cache.Channel, a *audience) {
	a.members.delete(func(n slot) bool {
		u := s.slots[n]
		if u.first != nil {
			return false
		}
		u.named--
		s.giveSlot(u)
		return true
	})
	a.gone = 0
	s.dropAudience(ch, a)
}

// giveSlot gives the slot of a user that is gone back, if nobody names it.
func (s *shard) giveSlot(u *user) {
	if u.first == nil && u.named == 0 && s.slots[u.slot] == u {
		s.slots[u.slot] = nil
		s.freeSlots = append(s.freeSlots, u.slot)
	}
}

// addMember adds a room to a user.
func (s *shard) addMember(ch *cache.Channel, u *user) {
	u.rooms = s.numbers.With(u.rooms, ch)
	s.enter(ch, u)
}

// removeMember takes a room from a user.
func (s *shard) removeMember(ch *cache.Channel, u *user) {
	u.rooms = s.numbers.Without(u.rooms, ch)
	a := s.index[ch]
	if a == nil {
		return
	}
	if a.members.remove(u.slot) {
		u.named--
	}
	if a.gone > 0 && a.gone == a.members.n {
		s.sweep(ch, a)
		return
	}
	s.dropAudience(ch, a)
}

// remove takes x out of list, whose order doesn't matter.
func remove[T comparable](list []T, x T) []T {
	i := slices.Index(list, x)
	if i < 0 {
		return list
	}
	last := len(list) - 1
	list[i] = list[last]
	var zero T
	list[last] = zero
	if last == 0 {
		return nil
	}
	return list[:last]
}
