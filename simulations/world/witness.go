package world

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"selvedge/core"
	corelog "selvedge/core/log"
	"selvedge/wire"
)

// witness is what the state log said, and when: the truth that answers are held
// against. It is safe for concurrent use.
type witness struct {
	since func() time.Duration

	mu      sync.Mutex
	records []heard                // guarded by mu; by position
	states  map[wire.Seq]*snapshot // guarded by mu; some that were worked out
}

// heard is a record, and when a core heard of it first.
type heard struct {
	rec wire.StateRecord
	at  time.Duration
}

func newWitness(since func() time.Duration) *witness {
	return &witness{since: since, states: map[wire.Seq]*snapshot{}}
}

// overheard is a core's logs, of which the witness hears what the core hears.
type overheard struct {
	core.Store
	w *witness
}

// Follow is Store's.
func (o *overheard) Follow(ctx context.Context, p wire.LogID, after wire.Seq, fn func([]corelog.Stored) error) error {
	if p != wire.StateLog {
		return o.Store.Follow(ctx, p, after, fn)
	}
	return o.Store.Follow(ctx, p, after, func(records []corelog.Stored) error {
		o.w.hear(records)
		return fn(records)
	})
}

// opener opens a core's logs.
type opener = func(ctx context.Context, cfg corelog.Config) (core.Store, error)

// overhear is open, or that of the real logs if it is nil, with the witness at the
// logs that it opens.
func (w *World) overhear(open opener) opener {
	return func(ctx context.Context, cfg corelog.Config) (s core.Store, err error) {
		if open != nil {
			s, err = open(ctx, cfg)
		} else {
			s, err = corelog.Open(ctx, cfg)
		}
		if err != nil {
			return nil, err
		}
		return &overheard{s, w.truth}, nil
	}
}

func (w *witness) hear(records []corelog.Stored) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range records {
		i, known := slices.BinarySearchFunc(w.records, r.Seq, func(h heard, v wire.Seq) int { return cmp.Compare(h.rec.V, v) })
		if known {
			continue
		}
		rec := *r.State
		rec.V = r.Seq
		w.records = slices.Insert(w.records, i, heard{rec, w.since()})
		clear(w.states)
	}
}

// end is the last position that a core had heard of at some time.
func (w *witness) end(at time.Duration) (end wire.Seq) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range w.records {
		if h.at <= at {
			end = max(end, h.rec.V)
		}
	}
	return end
}

// at is the state at a position.
func (w *witness) at(v wire.Seq) *snapshot {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.states[v]; s != nil {
		return s
	}
	s := &snapshot{map[string]wire.Object{}, map[wire.RoomID]map[wire.UserID]bool{}}
	for i := range w.records {
		r := &w.records[i].rec
		switch {
		case r.V > v:
			w.states[v] = s
			return s
		case r.Kind == wire.StateMember:
			if s.members[r.Room] == nil {
				s.members[r.Room] = map[wire.UserID]bool{}
			}
			if s.members[r.Room][r.User] = true; r.Deleted {
				delete(s.members[r.Room], r.User)
			}
		case r.Deleted:
			delete(s.docs, r.Key())
		default:
			s.docs[r.Key()] = wire.Object{V: r.V, Data: r.Data}
		}
	}
	w.states[v] = s
	return s
}

// moments are some positions: all that an answer may have been read at.
type moments struct{ from, to wire.Seq }

// any reports whether something was true at one of some moments.
func (w *witness) any(m moments, holds func(*snapshot) bool) bool {
	for v := m.from; v <= m.to; v++ {
		if holds(w.at(v)) {
			return true
		}
	}
	return false
}

// settled is since when something is as it is at the end.
func (w *witness) settled(same func(a, b *snapshot) bool) (since time.Duration) {
	w.mu.Lock()
	records := slices.Clone(w.records)
	w.mu.Unlock()
	if len(records) == 0 {
		return 0
	}
	last := w.at(records[len(records)-1].rec.V)
	for i := len(records) - 1; i > 0; i-- {
		if !same(w.at(records[i-1].rec.V), last) {
			return records[i].at
		}
	}
	return 0
}
