package world

import (
	"cmp"
	"slices"
	"sync"
	"time"

	corelog "selvedge/core/log"
	"selvedge/wire"
)

// chronicle is what the state log of one epoch said, and when. It is safe for
// concurrent use.
type chronicle struct {
	epoch string
	since func() time.Duration

	mu      sync.Mutex
	over    time.Duration          // guarded by mu; when the epoch ended, 0 = not yet
	records []heard                // guarded by mu; by position
	states  map[wire.Seq]*snapshot // guarded by mu; some that were worked out
}

// heard is a record, and when a core heard of it first.
type heard struct {
	rec wire.StateRecord
	at  time.Duration
}

func newChronicle(epoch string, since func() time.Duration) *chronicle {
	return &chronicle{epoch: epoch, since: since, states: map[wire.Seq]*snapshot{}}
}

func (c *chronicle) hear(records []corelog.Stored) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range records {
		i, known := c.findLocked(r.Seq)
		if known {
			continue
		}
		rec := *r.State
		rec.V = r.Seq
		c.records = slices.Insert(c.records, i, heard{rec, c.since()})
		clear(c.states)
	}
}

func (c *chronicle) findLocked(v wire.Seq) (i int, known bool) {
	return slices.BinarySearchFunc(c.records, v, func(h heard, v wire.Seq) int { return cmp.Compare(h.rec.V, v) })
}

// continues takes note of the epoch before: what both have was heard then.
func (c *chronicle) continues(before *chronicle) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before.mu.Lock()
	defer before.mu.Unlock()
	for i := range c.records {
		mine := &c.records[i]
		if k, known := before.findLocked(mine.rec.V); known {
			if was := &before.records[k]; was.rec.Key() == mine.rec.Key() && was.rec.Deleted == mine.rec.Deleted && string(was.rec.Data) == string(mine.rec.Data) {
				mine.at = was.at
			}
		}
	}
}

// end says that the epoch is over.
func (c *chronicle) end(at time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = at
}

// ended is when the epoch was over, if it is.
func (c *chronicle) ended() (at time.Duration, is bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.over, c.over > 0
}

// last is the last position that a core had heard of at some time.
func (c *chronicle) last(at time.Duration) (last wire.Seq) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, h := range c.records {
		if h.at <= at {
			last = max(last, h.rec.V)
		}
	}
	return last
}

// between is how many records a core heard of between two times.
func (c *chronicle) between(from, to time.Duration) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, h := range c.records {
		if h.at >= from && h.at <= to {
			n++
		}
	}
	return n
}

// at is the state at a position.
func (c *chronicle) at(v wire.Seq) *snapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.states[v]; s != nil {
		return s
	}
	s := &snapshot{map[string]wire.Object{}, map[wire.RoomID]map[wire.UserID]bool{}}
	for i := range c.records {
		r := &c.records[i].rec
		switch {
		case r.V > v:
			c.states[v] = s
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
	c.states[v] = s
	return s
}

// moments are some positions: all that an answer may have been read at.
type moments struct{ from, to wire.Seq }

// any reports whether something was true at one of some moments.
func (c *chronicle) any(m moments, holds func(*snapshot) bool) bool {
	for v := m.from; v <= m.to; v++ {
		if holds(c.at(v)) {
			return true
		}
	}
	return false
}

// settled is since when something is as it is at the end.
func (c *chronicle) settled(same func(a, b *snapshot) bool) (since time.Duration) {
	c.mu.Lock()
	records := slices.Clone(c.records)
	c.mu.Unlock()
	if len(records) == 0 {
		return 0
	}
	last := c.at(records[len(records)-1].rec.V)
	for i := len(records) - 1; i > 0; i-- {
		if !same(c.at(records[i-1].rec.V), last) {
			return records[i].at
		}
	}
	return 0
}
