package directory

import (
	"cmp"
	"slices"

	"selvedge/wire"
)

const (
	// sharedFirst is how many of a user's rooms, the largest first, are tried with
	// each other user before its rooms are walked: most users of a team meet in one
	// of them.
	sharedFirst = 4
	// sharedSteps bounds the search for a larger room than the one that was found.
	sharedSteps = 4096
)

// Shares is for each of others a room that user shares with it, "" = none: that
// with the most members, as far as that is found soon. With itself a user shares
// nothing.
//
// It reads the user's rooms once. With each other, that takes a few keys if they
// meet in one of the user's largest rooms. Else it takes as many as the smaller
// number of rooms of the two.
func (r *Reader) Shares(user wire.UserID, others []wire.UserID) ([]wire.RoomID, error) {
	out := make([]wire.RoomID, len(others))
	err := r.Walk(func(w *Walker) error {
		s, err := w.sharer(user)
		if err != nil || len(s.rooms) == 0 {
			return err
		}
		left := make([]int, 0, len(others)) // indices of others who are not found yet
		for i, id := range others {
			if id != user {
				left = append(left, i)
			}
		}
		// In order of ids, each is a short way behind the one before.
		slices.SortFunc(left, func(x, y int) int { return cmp.Compare(others[x], others[y]) })
		for _, n := range s.largest() {
			at := 0
			for _, i := range left {
				in, err := w.isMember(s.rooms[n].id, others[i])
				if err != nil {
					return err
				}
				if in {
					out[i] = s.rooms[n].id
				} else {
					left[at], at = i, at+1
				}
			}
			left = left[:at]
		}
		if len(s.rooms) <= sharedFirst {
			return nil
		}
		for _, i := range left {
			if out[i], err = w.shared(s, others[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// sharer is a user's rooms, in order of their ids.
type sharer struct{ rooms []countedRoom }

type countedRoom struct {
	id      wire.RoomID
	members int
}

func (w *Walker) sharer(user wire.UserID) (*sharer, error) {
	s := &sharer{}
	err := w.RoomsOf(user, func(room []byte, _ wire.Membership) {
		s.rooms = append(s.rooms, countedRoom{id: wire.RoomID(room)})
	})
	for i := range s.rooms {
		if err != nil {
			return nil, err
		}
		s.rooms[i].members, err = w.MemberCount(s.rooms[i].id)
	}
	return s, err
}

// largest are the indices of the sharedFirst largest rooms, the largest first.
func (s *sharer) largest() []int {
	all := make([]int, len(s.rooms))
	for i := range all {
		all[i] = i
	}
	slices.SortStableFunc(all, func(x, y int) int { return cmp.Compare(s.rooms[y].members, s.rooms[x].members) })
	return all[:min(len(all), sharedFirst)]
}

// after is the index of the first room at or behind id, from i on.
func (s *sharer) after(i int, id []byte) int {
	step := 1
	for i+step < len(s.rooms) && string(s.rooms[i+step].id) < string(id) {
		i, step = i+step, 2*step
	}
	n, _ := slices.BinarySearchFunc(s.rooms[i:min(i+step+1, len(s.rooms))], id, func(r countedRoom, id []byte) int {
		switch { // spelled out, it allocates nothing
		case string(r.id) < string(id):
			return -1
		case string(r.id) > string(id):
			return 1
		}
		return 0
	})
	return i + n
}

// shared is the largest of s's rooms that user is in. Both sides jump over what
// the other lacks.
func (w *Walker) shared(s *sharer, user wire.UserID) (best wire.RoomID, err error) {
	most, steps := -1, 0
	i, prefix := 0, 2+len(user)
	for i < len(s.rooms) && (most < 0 || steps < sharedSteps) {
		steps++
		w.key = append(append(append(append(w.key[:0], joined), user...), 0), s.rooms[i].id...)
		if !w.it.SeekGE(w.key) || len(w.it.Key()) < prefix || string(w.it.Key()[:prefix]) != string(w.key[:prefix]) {
			break
		}
		room := w.it.Key()[prefix:]
		if i = s.after(i, room); i < len(s.rooms) && string(s.rooms[i].id) == string(room) {
			if s.rooms[i].members > most {
				best, most = s.rooms[i].id, s.rooms[i].members
			}
			i++
		}
	}
	if err := w.it.Error(); err != nil {
		return "", w.failed(err)
	}
	return best, nil
}

// isMember reports whether a user is in a room.
func (w *Walker) isMember(room wire.RoomID, user wire.UserID) (bool, error) {
	w.key = append(append(append(append(w.key[:0], liveMember), room...), 0), user...)
	_, ok, err := w.at()
	return ok, err
}
