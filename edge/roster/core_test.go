package roster

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/edge/upstream"
	"selvedge/wire"
	"selvedge/wire/link"
)

// core is an Upstream: a state log with its whole history, its stream, and
// answers that take their time.
type core struct {
	s *Rosters

	mu      sync.Mutex
	rng     *rand.Rand                      // guarded by mu
	slow    time.Duration                   // guarded by mu: the most that an answer, or the stream, takes
	log     []*wire.StateRecord             // guarded by mu: record V is log[V-1]
	rooms   map[wire.RoomID][]roomVersion   // guarded by mu
	names   map[wire.UserID][]nameVersion   // guarded by mu
	held    map[wire.Key]int                // guarded by mu
	deltas  []delta                         // guarded by mu: on their way to the core
	effect  map[wire.Key]bool               // guarded by mu: interests that hold at the core
	fed     wire.Seq                        // guarded by mu: how far the core has sent the stream
	given   wire.Seq                        // guarded by mu: what was told of that by a record or a watermark
	ids     uint64                          // guarded by mu
	stalled bool                            // guarded by mu: nothing comes by the stream
	vague   bool                            // guarded by mu: every key has moved, always
	pages   int                             // guarded by mu: the largest page of a roster; 0 = any
	fail    error                           // guarded by mu: of every query
	asked   []*wire.Query                   // guarded by mu
	hold    func(*wire.Query) chan struct{} // guarded by mu: what an answer waits for to be closed; nil = nothing
}

type roomVersion struct {
	v       wire.Seq
	members []wire.UserID // sorted
}

type nameVersion struct {
	v    wire.Seq
	name string // "" = there is no document
}

// delta is a want, or with key a drop.
type delta struct {
	want upstream.Want
	key  wire.Key
}

func newCore(seed uint64) *core {
	return &core{
		rng: rand.New(rand.NewPCG(seed, 1)), rooms: map[wire.RoomID][]roomVersion{}, names: map[wire.UserID][]nameVersion{},
		held: map[wire.Key]int{}, effect: map[wire.Key]bool{},
	}
}

// bubble runs a test of Rosters with a core, in virtual time.
func bubble(t *testing.T, budget int64, seed uint64, test func(t *testing.T, s *Rosters, c *core)) {
	synctest.Test(t, func(t *testing.T) {
		c := newCore(seed)
		s := New(Config{Upstream: c, Budget: budget, Logger: slog.New(slog.DiscardHandler)})
		c.s = s
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(func() { _ = s.Run(ctx) })
		wg.Go(func() { c.feed(ctx) })
		test(t, s, c)
		cancel()
		wg.Wait()
	})
}

func (c *core) do(fn func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fn()
}

func (c *core) sleep(ctx context.Context) {
	var d time.Duration
	c.do(func() {
		if c.slow > 0 {
			d = time.Duration(c.rng.Int64N(int64(c.slow)))
		}
	})
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// feed sends the stream: records of interest, markers and watermarks.
func (c *core) feed(ctx context.Context) {
	for ctx.Err() == nil {
		pause := 10 * time.Millisecond
		c.do(func() {
			if c.slow > 0 {
				pause = time.Duration(c.rng.Int64N(int64(40 * time.Millisecond)))
				if c.rng.IntN(20) == 0 { // answers are far ahead for a while
					pause += time.Duration(c.rng.Int64N(int64(3 * c.slow)))
				}
			}
		})
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		c.mu.Lock()
		if c.stalled {
			c.mu.Unlock()
			continue
		}
		if c.slow > 0 && c.rng.IntN(40) == 0 { // another link: all that is held holds
			clear(c.effect)
			for k := range c.held {
				c.effect[k] = true
			}
		}
		calls := c.applyLocked()
		n := len(c.log) - int(c.fed)
		if c.slow > 0 {
			n = min(n, c.rng.IntN(4))
		}
		for range n {
			c.fed++
			if rec := c.recordLocked(c.fed); rec != nil {
				calls = append(calls, func() { c.s.Record(rec); c.gave(rec.V) })
			}
		}
		if c.slow == 0 || c.rng.IntN(8) == 0 {
			fed := c.fed
			calls = append(calls, func() { c.s.Upto(fed); c.gave(fed) })
		}
		c.mu.Unlock()
		for _, call := range calls {
			call()
		}
	}
}

func (c *core) gave(v wire.Seq) { c.do(func() { c.given = max(c.given, v) }) }

// applyLocked makes deltas hold, and returns the calls of their markers.
func (c *core) applyLocked() (calls []func()) {
	n := len(c.deltas)
	if c.slow > 0 {
		n = min(n, c.rng.IntN(30))
	}
	part := c.deltas[:n]
	c.deltas = c.deltas[n:]
	c.ids++
	m := link.Marker{ID: c.ids, Seq: c.fed}
	for _, d := range part {
		switch {
		case d.key != 0:
			if c.held[d.key] == 0 {
				delete(c.effect, d.key)
			}
		case c.held[d.want.Key] > 0:
			c.effect[d.want.Key] = true
			if c.vague || d.want.Since < c.fed && c.movedLocked(d.want.Key, d.want.Since) {
				m.Moved = append(m.Moved, d.want.Key)
			}
		}
	}
	for _, d := range part {
		if d.key == 0 && c.held[d.want.Key] > 0 {
			calls = append(calls, func() { c.s.Live(d.want, m) })
		}
	}
	return calls
}

func (c *core) movedLocked(k wire.Key, since wire.Seq) bool {
	for _, rec := range c.log[since:c.fed] {
		if keys := rec.Interests(); slices.Contains(keys[:], k) {
			return true
		}
	}
	return c.slow > 0 && c.rng.IntN(10) == 0 // one that can't be sure
}

// recordLocked is a record as the stream has it; nil if nobody wants it.
func (c *core) recordLocked(v wire.Seq) *wire.StateRecord {
	rec := *c.log[v-1]
	keys := rec.Interests()
	if !c.effect[keys[0]] && !c.effect[keys[1]] {
		return nil
	}
	if rec.Kind == wire.StateMember {
		at := v
		if c.rng.IntN(2) == 0 {
			at = wire.Seq(len(c.log))
		}
		rec.MemberCount = len(membersAt(c.rooms[rec.Room], at))
	}
	return &rec
}
