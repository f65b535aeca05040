package world

import (
	"maps"
	"slices"

	"selvedge/wire"
)

// snapshot is all of the state at a position.
type snapshot struct {
	docs    map[string]wire.Object // by key; those that exist
	members map[wire.RoomID]map[wire.UserID]bool
}

// shares reports whether two users are the same, or in one room.
func (s *snapshot) shares(a, b wire.UserID) bool {
	if a == b {
		return true
	}
	for _, members := range s.members {
		if members[a] && members[b] {
			return true
		}
	}
	return false
}

// sees reports whether a user may see a document.
func (s *snapshot) sees(user wire.UserID, key string) bool {
	if room, ok := wire.Channel(key).Room(); ok {
		return s.members[room][user]
	}
	return s.shares(user, wire.UserID(key[len("user:"):]))
}

// rooms are a user's, in order.
func (s *snapshot) rooms(user wire.UserID) (ids []wire.RoomID) {
	for id, members := range s.members {
		if members[user] {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// page is a page of a room's members.
func (s *snapshot) page(room wire.RoomID, after wire.UserID, limit int) (ids []wire.UserID, next string) {
	for _, id := range slices.Sorted(maps.Keys(s.members[room])) {
		switch {
		case id <= after:
		case len(ids) == limit:
			return ids, string(ids[limit-1])
		default:
			ids = append(ids, id)
		}
	}
	return ids, ""
}

// same reports whether a document is the same in two states.
func same(a, b wire.Object) bool { return a.V == b.V && string(a.Data) == string(b.Data) }
