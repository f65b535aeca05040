package roster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"selvedge/edge/upstream"
	"selvedge/wire"
)

const (
	// maxLoads bounds the rooms that are read whole at once, and loadTimeout what one
	// may take.
	maxLoads    = 16
	loadTimeout = 60 * time.Second
	// maxMembers bounds the members of a room that is read whole, as does what fits
	// into the budget: it would be read again for every question. But small ones
	// always are.
	maxMembers  = 200_000
	leastBound  = 10_000
	memberBytes = 300
	// maxUnsure is how many members of a whole room may have come by the stream
	// without their names: past it the room is forgotten, and read anew when it is
	// asked for. A page of it has 20,000 names, in less bytes than 2,000 documents.
	maxUnsure = 2000
)

// errTooLarge: the room has more members than are read whole.
var errTooLarge = errors.New("the room has too many members to be read whole")

// load reads all members of a room. All is guarded by Rosters.mu.
type load struct {
	err   error  // why it ended without them
	marks []mark // of the pages so far
	// journal is what the stream told of users whom no page had yet: the last
	// record of each.
	journal map[wire.UserID]change
}

type change struct {
	v    wire.Seq
	left bool
}

// journalLocked takes a record that comes during the load. apply says that it
// has more to say than the pages.
func (l *load) journalLocked(rec *wire.StateRecord) (apply bool) {
	if v, known := since(l.marks, rec.User); known {
		return rec.V > v
	}
	l.journal[rec.User] = change{rec.V, rec.Deleted}
	return false
}

// beginLocked has a room read whole, unless it is or was.
func (s *Rosters) beginLocked(id wire.RoomID) *room {
	r, ok := s.rooms.Peek(id)
	if !ok {
		r = s.newRoomLocked(id, never)
	}
	r.touch()
	if r.set() {
		return r
	}
	// Members that are known one by one come again by the pages, at the positions
	// of these.
	s.clearLocked(r)
	l := &load{journal: map[wire.UserID]change{}}
	r.load = l
	if !s.spawnLocked(func() { s.run(r, l) }) {
		l.err = errStopped
		s.dropLocked(r)
	}
	return r
}

func (s *Rosters) run(r *room, l *load) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(s.ctx, loadTimeout)
	defer cancel()
	err := s.read(ctx, r, l)
	s.mu.Lock()
	if r.dead && err == nil {
		err = fmt.Errorf("%w: the room was forgotten", upstream.ErrUnavailable)
	}
	n := r.members.Len()
	if l.err = err; err != nil {
		s.dropLocked(r)
	} else {
		r.load, r.whole, r.marks = nil, true, l.marks
		r.count, r.counted = int32(n), true
		r.passedLocked(s.Position())
	}
	s.wakeLocked(r)
	s.flushLocked()
	s.mu.Unlock()
	s.cfg.Events.Loaded(n, time.Since(began), err)
	if err != nil {
		s.cfg.Logger.DebugContext(ctx, "a room could not be read whole", "room", r.id, "err", err)
	}
}

// read takes all pages.
func (s *Rosters) read(ctx context.Context, r *room, l *load) error {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return gaveUp(ctx)
	}
	if err := s.awaitLive(ctx, r); err != nil {
		return err
	}
	after, n, last := wire.UserID(""), 0, wire.Seq(0)
	for {
		a, err := s.ask(ctx, &wire.Query{T: wire.QRoster, Room: r.id, AfterID: string(after), Limit: wire.MaxRoster})
		switch {
		case err != nil:
			return err
		case len(a.Names) != len(a.Members) || a.Next != "" && a.Next <= string(after):
			return fmt.Errorf("%w: a page of room %q that makes no sense", upstream.ErrUnavailable, r.id)
		case max(a.MemberCount, n) > s.bound:
			return errTooLarge
		}
		n += len(a.Members)
		if !s.page(r, l, a) {
			return nil // it is dead
		}
		last = max(last, a.V)
		if after = wire.UserID(a.Next); after == "" {
			break
		}
	}
	if !slices.ContainsFunc(l.marks, func(m mark) bool { return m.v != last }) {
		return nil // all pages are of one moment
	}
	return s.Settle(ctx, wire.MembersKey(r.id), last)
}

// awaitLive waits for the marker of the room's interest.
func (s *Rosters) awaitLive(ctx context.Context, r *room) error {
	return s.await(ctx, func() (bool, <-chan struct{}) {
		return r.live || r.dead, s.waitLocked(r)
	})
}

// page takes one page in, piece by piece. It is false if the room is dead.
func (s *Rosters) page(r *room, l *load, a *wire.Answer) bool {
	members := membersOf(a)
	for {
		n := min(len(members), pieceSize)
		if !s.piece(r, members[:n], a.V) {
			return false
		}
		if members = members[n:]; len(members) == 0 {
			break
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.dead {
		return false
	}
	l.marks = append(l.marks, mark{wire.UserID(a.Next), a.V})
	for id, c := range l.journal {
		v, known := since(l.marks, id)
		if !known {
			continue
		}
		delete(l.journal, id)
		if c.v > v {
			s.changeLocked(r, id, c.left, c.v)
		}
	}
	s.flushLocked()
	return true
}

// membersOf are the members of a page, folded.
func membersOf(a *wire.Answer) []member {
	members := make([]member, len(a.Members))
	for i, id := range a.Members {
		m := member{id: id, folded: fold(string(id)), named: true}
		if m.name = fold(a.Names[i].Name); m.name == "" {
			m.name = m.folded
		}
		members[i] = m
	}
	return members
}

func (s *Rosters) piece(r *room, members []member, v wire.Seq) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.dead {
		return false
	}
	s.ahead = max(s.ahead, v)
	for _, m := range members {
		s.addLocked(r, m, v)
	}
	s.flushLocked()
	return true
}
