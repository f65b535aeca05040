package roster

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"selvedge/edge/upstream"
	"selvedge/wire"
)

// Known reports whether it is known here that a user is in a room that in has
// the asker in. False says nothing. in is called without the lock.
func (s *Rosters) Known(target wire.UserID, in func(wire.RoomID) bool) bool {
	var few [16]*room
	s.mu.RLock()
	u := s.users[target]
	rooms := few[:0]
	if u != nil {
		for _, num := range u.rooms {
			if r := s.table[num]; r.knows() {
				rooms = append(rooms, r)
			}
		}
	}
	s.mu.RUnlock()
	for _, r := range rooms {
		if in(r.id) {
			r.touch()
			return true
		}
	}
	return false
}

// Shares tells of each target whether it shares a room with the asker; in says
// of a room whether the asker is in it. What isn't known is asked for, at most
// wire.MaxPage targets in one question. The rooms by which they meet are kept for
// everybody, that they don't is not. Its errors are Page's.
func (s *Rosters) Shares(ctx context.Context, asker wire.UserID, in func(wire.RoomID) bool, targets []wire.UserID) (shared []bool, err error) {
	shared = make([]bool, len(targets))
	var doubtful []int
	for i, t := range targets {
		if shared[i] = s.Known(t, in); !shared[i] {
			doubtful = append(doubtful, i)
		}
	}
	s.cfg.Events.Asked("shares", len(doubtful) == 0)
	for part := range slices.Chunk(doubtful, wire.MaxPage) {
		users := make([]wire.UserID, len(part))
		for n, i := range part {
			users[n] = targets[i]
		}
		rooms, err := s.askShares(ctx, wire.Query{T: wire.QShares, User: asker, Users: users})
		if err != nil {
			return nil, err
		}
		for n, i := range part {
			shared[i] = rooms[n] != ""
		}
	}
	return shared, nil
}

// Among reports whether a user is in a room. What isn't known is asked for, and
// kept if it is so. Its errors are Page's.
func (s *Rosters) Among(ctx context.Context, id wire.RoomID, user wire.UserID) (bool, error) {
	known := s.Known(user, func(r wire.RoomID) bool { return r == id })
	s.cfg.Events.Asked("shares", known)
	if known {
		return true, nil
	}
	rooms, err := s.askShares(ctx, wire.Query{T: wire.QShares, Room: id, Users: []wire.UserID{user}})
	return err == nil && rooms[0] == id, err
}

func (s *Rosters) askShares(ctx context.Context, q wire.Query) ([]wire.RoomID, error) {
	users := q.Users
	var key strings.Builder
	key.WriteString("shares\x00" + string(q.User) + "\x00" + string(q.Room))
	for _, u := range users {
		key.WriteString("\x00" + string(u))
	}
	a, err := s.once(ctx, key.String(), &q, func(a *wire.Answer) {
		for i, id := range a.Shared {
			if id != "" && i < len(users) {
				s.witnessLocked(id, users[i], a.V)
			}
		}
	})
	if err == nil && len(a.Shared) != len(users) {
		err = fmt.Errorf("%w: an answer for %d users of %d", upstream.ErrUnavailable, len(a.Shared), len(users))
	}
	if err != nil {
		return nil, err
	}
	return a.Shared, nil
}

// witnessLocked takes note that a user was in a room at state position v.
func (s *Rosters) witnessLocked(id wire.RoomID, user wire.UserID, v wire.Seq) {
	r, ok := s.rooms.Peek(id)
	if !ok {
		r = s.newRoomLocked(id, v)
	}
	if r.set() || v < r.from || v < r.leftV {
		return // it knows better, or it may have left since
	}
	s.addLocked(r, member{id: user}, v)
}
