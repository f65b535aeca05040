package roster

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"selvedge/wire"
)

const (
	// maxReads is how many rooms one search has read whole: the largest. Others
	// that are not known yet are left out; the next search goes on with them.
	maxReads = 128
	// fewMembers are looked through one by one rather than by the index.
	fewMembers = 256
)

// Search finds members of any of some rooms whose name, a word of it, or id
// begins with a prefix: first those whose name or id it is, then those whose name
// begins so, then a word, then the id; in each case by name, and those of one
// name by id. Who has no name is called by the id. An empty prefix lists all by
// name. Case, width, accents and spaces don't matter, nor does a prefix beyond
// wire.MaxName bytes.
//
// Rooms are read whole first. One search looks through 200,000 members at most,
// those of several rooms counted in each, and no more than fit into the budget
// (but 10,000 in any case). The largest rooms that fit come first, since they have
// most of those whom one looks for; what doesn't fit is left out. So are all but
// the 128 largest of the rooms that have to be read; the next search goes on with
// them. A room that does not exist has no members. Who becomes a member while the
// search waits for the core may be missing.
//
// A limit outside 1 to wire.MaxPage is 100. at is the latest state position that any
// of it was read at; once the stream has come so far, and if no record was taken since
// the search began, what it found is of one moment. Its errors are Page's.
func (s *Rosters) Search(ctx context.Context, rooms []wire.RoomID, prefix string, limit int) (users []wire.UserID, at wire.Seq, err error) {
	if len(prefix) > wire.MaxName {
		prefix = prefix[:wire.MaxName]
	}
	h := &hits{prefix: fold(prefix), limit: pageLimit(limit)}
	ids, hit := s.choose(rooms)
	s.cfg.Events.Asked("search", hit)
	for {
		found, err := s.gather(ctx, ids)
		if err != nil {
			return nil, 0, err
		}
		at, ok := s.search(found, h)
		for _, r := range found {
			s.unpin(r)
		}
		if ok {
			out := make([]wire.UserID, len(h.best))
			for i := range h.best {
				out[i] = h.best[i].u.id
			}
			return out, at, nil
		}
	}
}

// choose are the rooms that a search looks through, the largest first; known says
// that they need not be read.
func (s *Rosters) choose(rooms []wire.RoomID) (ids []wire.RoomID, known bool) {
	type candidate struct {
		id    wire.RoomID
		count int // 0 = not known
		named bool
	}
	all := make([]candidate, 0, len(rooms))
	s.mu.RLock()
	for _, id := range rooms {
		c := candidate{id: id}
		if r, ok := s.rooms.Peek(id); ok {
			c.named = r.named()
			if c.count = int(r.count); r.set() {
				c.count = max(c.count, r.members.Len())
			}
		}
		all = append(all, c)
	}
	s.mu.RUnlock()
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.id, b.id))
	})
	all = slices.CompactFunc(all, func(a, b candidate) bool { return a.id == b.id })
	left, reads := s.bound, maxReads
	for _, c := range all {
		if c.count > left || !c.named && reads == 0 {
			continue
		}
		left -= c.count
		if !c.named {
			reads--
		}
		ids = append(ids, c.id)
	}
	return ids, reads == maxReads
}

// gather are rooms, whole and named, and pinned. Those that don't exist or are
// too large are left out.
func (s *Rosters) gather(ctx context.Context, ids []wire.RoomID) (found []*room, err error) {
	s.mu.RLock()
	for _, id := range ids {
		if r, ok := s.rooms.Peek(id); ok && r.named() {
			r.touch()
			r.pins.Add(1)
			found = append(found, r)
		}
	}
	s.mu.RUnlock()
	if len(found) == len(ids) {
		return found, nil
	}
	for _, r := range found {
		s.unpin(r)
	}
	found = found[:0]
	s.mu.Lock()
	for _, id := range ids {
		s.beginLocked(id)
	}
	s.flushLocked()
	s.mu.Unlock()
	for _, id := range ids {
		r, err := s.whole(ctx, id, true)
		switch {
		case err == nil:
			found = append(found, r)
		case errors.Is(err, errTooLarge) || isNotFound(err):
		default:
			for _, r := range found {
				s.unpin(r)
			}
			return nil, err
		}
	}
	return found, nil
}

func isNotFound(err error) bool {
	refused, ok := errors.AsType[*RefusedError](err)
	return ok && refused.Code == wire.NotFound
}

// search fills h, with what was read up to at. It is false if a room is no longer what
// it was.
func (s *Rosters) search(rooms []*room, h *hits) (at wire.Seq, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	total := 0
	for _, r := range rooms {
		if r.dead {
			return 0, false
		}
		total += r.members.Len()
	}
	h.in = s.amongLocked(rooms)
	if total > fewMembers {
		w := walk{index: &s.index, hits: h, most: total}
		if w.run() {
			return s.ahead, true
		}
	}
	h.best = h.best[:0]
	h.in = func(u *user) bool { return u.state == sure }
	for _, r := range rooms {
		r.members.Ascend(func(u *user) bool {
			h.offer(u, h.class(u))
			return true
		})
	}
	return s.ahead, true
}

// amongLocked reports whether a user is in one of some rooms, and has its name.
// Without the name it has come after the search.
func (s *Rosters) amongLocked(rooms []*room) func(*user) bool {
	if len(rooms) == 1 {
		num := rooms[0].num
		return func(u *user) bool { return u.state == sure && slices.Contains(u.rooms, num) }
	}
	set := make([]uint64, len(s.table)/64+1)
	for _, r := range rooms {
		set[r.num/64] |= 1 << (r.num % 64)
	}
	return func(u *user) bool {
		if u.state != sure {
			return false
		}
		for _, num := range u.rooms {
			if set[num/64]&(1<<(num%64)) != 0 {
				return true
			}
		}
		return false
	}
}
