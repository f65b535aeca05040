package roster

import (
	"maps"

	"selvedge/wire"
)

// What things take in memory, in bytes, with what Go's allocator, maps and the
// trees add to them. TestBytesAreThoseOfTheHeap holds them.
const (
	roomBytes = 295 // a room, its entry in the list, its tree
	userBytes = 150 // a user, its entry in the map
	setBytes  = 72  // its entries in the index
	wordBytes = 33  // one more for a word
	pairBytes = 22  // a user in a room, from both sides
)

// idBytes is what a user takes that is in no set.
func (u *user) idBytes() int64 {
	n := userBytes + len(u.id)
	if u.folded != string(u.id) {
		n += len(u.folded)
	}
	return int64(n)
}

// nameBytes is what it takes more in a set.
func (u *user) nameBytes() int64 {
	n := setBytes
	if u.name != u.folded {
		n += len(u.name)
	}
	words(u.name, func(int) bool {
		n += wordBytes
		return true
	})
	return int64(n)
}

// pieceSize is how many members are worked on while nobody else can.
const pieceSize = 500

// trimLocked forgets rooms until the budget is kept: those that were used longest
// ago, about. One that was touched since it came to the end of the list has a
// second chance: so those who read need no lock of their own.
func (s *Rosters) trimLocked() {
	for spared := 0; s.bytes > s.cfg.Budget && len(s.dying) == 0 && spared <= 2*s.rooms.Len(); {
		id, r, ok := s.rooms.GetOldest()
		switch {
		case !ok:
			return
		case r.load != nil || r.pins.Load() > 0 || r.touched.CompareAndSwap(true, false):
			s.rooms.Get(id) // to the other end
			spared++
		default:
			s.dropLocked(r)
		}
	}
}

// unpin lets a room go, and more if it has kept some over the budget.
func (s *Rosters) unpin(r *room) {
	r.pins.Add(-1)
	s.mu.RLock()
	over := s.bytes > s.cfg.Budget
	s.mu.RUnlock()
	if over {
		s.mu.Lock()
		s.flushLocked()
		s.mu.Unlock()
	}
}

// dropLocked forgets a room. What its members take is given back at once if it
// is little, and else piece by piece.
func (s *Rosters) dropLocked(r *room) {
	if r.dead {
		return
	}
	r.dead = true
	s.rooms.Remove(r.id)
	s.bytes -= roomBytes + int64(len(r.id))
	s.dropped = append(s.dropped, wire.MembersKey(r.id))
	s.wakeLocked(r)
	if r.members.Len() <= pieceSize {
		s.reapLocked(r)
		return
	}
	s.dying = append(s.dying, r)
	if !s.reaping {
		s.reaping = s.spawnLocked(s.reap)
	}
}

// reapLocked takes members out of a dead room; done says that there are none left.
func (s *Rosters) reapLocked(r *room) (done bool) {
	for range pieceSize {
		u, ok := r.members.DeleteMin()
		if !ok {
			break
		}
		s.leaveLocked(r, u)
	}
	if r.members.Len() > 0 {
		return false
	}
	s.table[r.num] = nil
	s.free = append(s.free, r.num)
	s.shrinkLocked()
	return true
}

// shrinkLocked makes the users' map anew when most have gone: Go's never get
// smaller.
func (s *Rosters) shrinkLocked() {
	if s.most < pieceSize || len(s.users) > s.most/4 {
		return
	}
	users := make(map[wire.UserID]*user, len(s.users))
	maps.Copy(users, s.users)
	s.users, s.most = users, len(users)
}

// reap ends what is dying.
func (s *Rosters) reap() {
	for {
		s.mu.Lock()
		if len(s.dying) == 0 {
			s.reaping = false
			s.mu.Unlock()
			return
		}
		if s.reapLocked(s.dying[0]) {
			s.dying = s.dying[1:]
		}
		s.flushLocked()
		s.mu.Unlock()
	}
}

// clearLocked takes all members out of a room that is no set.
func (s *Rosters) clearLocked(r *room) {
	for {
		u, ok := r.members.DeleteMin()
		if !ok {
			return
		}
		s.leaveLocked(r, u)
	}
}
