package session

import (
	"context"
	"slices"
	"sync"

	"selvedge/edge/upstream"
	"selvedge/wire"
	"selvedge/wire/link"
)

// seen works out up to which state position every session was told of its
// memberships: the position of the log, unless a change is still on its way.
type seen struct {
	mu      sync.Mutex
	pos     wire.Seq             // guarded by mu: everything up to it was taken
	busy    map[*op]wire.Seq     // guarded by mu
	told    wire.Seq             // guarded by mu
	waiting map[*waiter]struct{} // guarded by mu; nil while nobody does
}

// waiter waits for a position.
type waiter struct {
	v     wire.Seq
	told  bool          // of told, else of pos
	ended bool          // the logs are others: it won't come
	done  chan struct{} // closed when it has come, or ended is set
}

func (s *seen) begin(o *op, v wire.Seq) {
	s.mu.Lock()
	s.busy[o] = v
	s.mu.Unlock()
}

func (s *seen) end(o *op) {
	s.mu.Lock()
	delete(s.busy, o)
	s.mu.Unlock()
}

// reset starts anew, for another state log. What was under way there is ended
// by whoever began it, but holds nothing back any more.
func (s *seen) reset() {
	s.mu.Lock()
	s.pos, s.told = 0, 0
	clear(s.busy)
	for w := range s.waiting {
		w.ended = true
		close(w.done)
	}
	s.waiting = nil
	s.mu.Unlock()
}

// advance takes everything up to pos as taken, and tells what is new. It tells
// under the lock: a position of the log before reset can't be told after it.
func (s *seen) advance(pos wire.Seq, tell func(wire.Seq)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pos = max(s.pos, pos)
	v := s.pos
	for _, b := range s.busy {
		v = min(v, b-1)
	}
	if v > s.told {
		s.told = v
		tell(v)
	}
	for w := range s.waiting {
		if s.reachedLocked(w) {
			close(w.done)
			delete(s.waiting, w)
		}
	}
}

func (s *seen) reachedLocked(w *waiter) bool {
	if w.told {
		return w.v <= s.told
	}
	return w.v <= s.pos
}

// await waits until everything up to v was taken; or, with told, until every session
// was told of it. It fails when ctx ends, or the log does.
func (s *seen) await(ctx context.Context, v wire.Seq, told bool) error {
	w := &waiter{v: v, told: told}
	s.mu.Lock()
	if s.reachedLocked(w) {
		s.mu.Unlock()
		return nil
	}
	w.done = make(chan struct{})
	if s.waiting == nil {
		s.waiting = map[*waiter]struct{}{}
	}
	s.waiting[w] = struct{}{}
	s.mu.Unlock()
	select {
	case <-w.done:
		if w.ended {
			return upstream.ErrUnavailable
		}
		return nil
	case <-ctx.Done():
		s.mu.Lock()
		delete(s.waiting, w)
		s.mu.Unlock()
		return ctx.Err()
	}
}

// upto is the state position up to which every session was told.
func (s *seen) upto() wire.Seq {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.told
}

// State takes records of the state log, in order, complete up to upto.
func (m *Manager) State(records []*wire.StateRecord, upto wire.Seq) {
	if len(records) > 0 {
		m.turns.n.Add(1)
		defer m.turns.n.Add(1)
	}
	for _, rec := range records {
		m.objects.Record(rec)
		m.rosters.Record(rec)
		if rec.Kind != wire.StateMember {
			continue
		}
		m.mu.Lock()
		u := m.users.Get(rec.User)
		m.mu.Unlock()
		if u != nil {
			u.record(rec)
		}
	}
	m.rosters.Upto(upto)
	m.seen.advance(upto, m.engine.Seen)
}

// Live takes the marker of interests in the state log.
func (m *Manager) Live(wants []upstream.Want, mark link.Marker) {
	slices.Sort(mark.Moved)
	for _, w := range wants {
		_, moved := slices.BinarySearch(mark.Moved, w.Key)
		if !m.objects.Live(w, moved, mark) {
			m.rosters.Live(w, mark)
		}
	}
}

// Position is the state position up to which everything was taken.
func (m *Manager) Position() wire.Seq {
	m.seen.mu.Lock()
	defer m.seen.mu.Unlock()
	return m.seen.pos
}
