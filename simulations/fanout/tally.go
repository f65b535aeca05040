package fanout

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"selvedge/simulations/load"
)

// round is what the subscribers of one process received of one round's publishes.
// Safe for concurrent use.
type round struct {
	id        int64
	publishes int64 // numbers from 0 up to this one are taken

	took histogram
	last []atomic.Int64 // by publish: how long the slowest receipt took, in ns
	came []atomic.Int64 // by publish: subscribers that have it
	over atomic.Int64   // those below this one are not waited for any more
	late atomic.Int64   // of came: when it was over
}

// begin begins a round.
func (t *tally) begin(id, publishes int64) {
	t.now.Store(&round{id: id, publishes: publishes, last: make([]atomic.Int64, publishes), came: make([]atomic.Int64, publishes)})
}

// receipts is how many subscribers have these publishes.
func (r *round) receipts(from, to int64) (n int64) {
	for i := from; i < to; i++ {
		n += r.came[i].Load()
	}
	return n
}

// tally counts what all subscribers of one process receive. Safe for concurrent use.
type tally struct {
	payloads payloads
	lose     int64                 // overlook every this many-th message; 0 = none
	missed   atomic.Int64          // messages, if some are overlooked
	now      atomic.Pointer[round] // nil = none

	// Since they were told last.
	relinked atomic.Int64 // connections that broke and came back
	doubled  atomic.Int64 // receipts of what the subscriber has
	stray    atomic.Int64 // receipts of rounds that are over

	mu    sync.Mutex
	wrong error // guarded by mu: the first thing that was not as it should be
}

// fault keeps the first one.
func (t *tally) fault(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.wrong == nil {
		t.wrong = err
	}
}

func (t *tally) complaint() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.wrong != nil {
		return fmt.Errorf("a gateway: %w", t.wrong)
	}
	return nil
}

// subscriber is one gateway. It belongs to whoever receives for it.
type subscriber struct {
	tally *tally
	round int64    // of seen
	seen  []uint64 // a bit for each publish of the round that came
}

// receive takes what may be a message.
func (s *subscriber) receive(b []byte) {
	st, ok, err := s.tally.payloads.find(b)
	if err != nil {
		s.tally.fault(err)
		return
	}
	if !ok || s.tally.lose > 0 && s.tally.missed.Add(1)%s.tally.lose == 0 {
		return
	}
	took := load.Now() - st.at
	r := s.tally.now.Load()
	if r == nil || st.round != r.id || st.n >= r.publishes {
		s.tally.stray.Add(1)
		return
	}
	if s.round != r.id {
		s.round, s.seen = r.id, make([]uint64, (r.publishes+63)/64)
	}
	bit := uint64(1) << (st.n % 64)
	if s.seen[st.n/64]&bit != 0 {
		s.tally.doubled.Add(1)
		return
	}
	s.seen[st.n/64] |= bit
	r.took.add(took)
	last := &r.last[st.n]
	for old := last.Load(); took > old && !last.CompareAndSwap(old, took); {
		old = last.Load()
	}
	if st.n < r.over.Load() {
		r.late.Add(1)
	}
	r.came[st.n].Add(1) // at last: this may end a wait
}

// lookEvery is how often a wait looks whether all has come.
const lookEvery = 5 * time.Millisecond

// await waits until so many subscribers have each of these publishes, or nothing came
// for as long as patience. What comes of them after that is late.
func (t *tally) await(ctx context.Context, from, to, each int64, patience time.Duration) error {
	r := t.now.Load()
	if r == nil || from < 0 || to > r.publishes {
		return errors.New("there is no such round")
	}
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	came, moved := int64(-1), time.Now()
	for {
		n := r.receipts(from, to)
		if n >= each*(to-from) {
			break
		}
		if now := time.Now(); n != came {
			came, moved = n, now
		} else if now.Sub(moved) > patience {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-look.C:
		}
	}
	r.over.Store(max(to, r.over.Load()))
	return t.complaint()
}

// tell is what came of the round so far. What came twice, or was not of the round,
// is told once: with the next round if it came after this.
func (t *tally) tell() (word, error) {
	r := t.now.Load()
	if r == nil {
		return word{}, errors.New("there is no round")
	}
	w := word{
		Receipts: r.receipts(0, r.publishes), Late: r.late.Load(), Doubled: t.doubled.Swap(0) + t.stray.Swap(0), Relinked: t.relinked.Swap(0),
		Took: r.took.counts(),
	}
	for i := range r.last {
		w.Last = append(w.Last, r.last[i].Load())
	}
	return w, t.complaint()
}
