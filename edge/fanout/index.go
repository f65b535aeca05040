package fanout

import (
	"slices"

	"selvedge/edge/cache"
	"selvedge/wire"
)

// user is a user with sockets in this shard. Memberships hang on it, not on the
// sockets.
type user struct {
	id      wire.UserID
	sockets []*Socket
	rooms   []*cache.Channel // ordered by log
}

// audience is who gets a channel's frames in this shard.
type audience struct {
	users   []*user   // its members
	sockets []*Socket // its subscribers
}

func byLog(ch *cache.Channel, p wire.LogID) int { return int(ch.P) - int(p) }

// roomsOf are u's rooms in log p.
func (u *user) roomsOf(p wire.LogID) []*cache.Channel {
	i, _ := slices.BinarySearchFunc(u.rooms, p, byLog)
	j := i
	for j < len(u.rooms) && u.rooms[j].P == p {
		j++
	}
	return u.rooms[i:j]
}

func (u *user) hasRoom(ch *cache.Channel) bool { return slices.Contains(u.roomsOf(ch.P), ch) }

func (s *shard) audience(ch *cache.Channel) *audience {
	a := s.index[ch]
	if a == nil {
		a = &audience{}
		s.index[ch] = a
	}
	return a
}

func (s *shard) dropAudience(ch *cache.Channel, a *audience) {
	if len(a.users)+len(a.sockets) == 0 {
		delete(s.index, ch)
	}
}

// addUser is the user of id, with rooms if it is new here.
func (s *shard) addUser(id wire.UserID, rooms []*cache.Channel) *user {
	if u := s.users[id]; u != nil {
		return u
	}
	slices.SortFunc(rooms, func(a, b *cache.Channel) int { return byLog(a, b.P) })
	u := &user{id: id, rooms: rooms}
	s.users[id] = u
	for _, ch := range rooms {
		a := s.audience(ch)
		a.users = append(a.users, u)
	}
	return u
}

// dropUser forgets a user without sockets.
func (s *shard) dropUser(u *user) {
	for _, ch := range u.rooms {
		s.removeMember(ch, u)
	}
	delete(s.users, u.id)
}

func (s *shard) addMember(ch *cache.Channel, u *user) {
	i, _ := slices.BinarySearchFunc(u.rooms, ch.P, byLog)
	u.rooms = slices.Insert(u.rooms, i, ch)
	a := s.audience(ch)
	a.users = append(a.users, u)
}

func (s *shard) removeMember(ch *cache.Channel, u *user) {
	if a := s.index[ch]; a != nil {
		a.users = remove(a.users, u)
		s.dropAudience(ch, a)
	}
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
