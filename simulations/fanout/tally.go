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

	took     histogram
	last     []atomic.Int64 // by publish: how long the slowest receipt took, in ns
	receipts atomic.Int64   // each subscriber's first of each publish
	doubled  atomic.Int64
	relinked int64 // the tally's, when the round began
}

// begin begins a round.
func (t *tally) begin(id, publishes int64) {
	t.now.Store(&round{id: id, publishes: publishes, last: make([]atomic.Int64, publishes), relinked: t.relinked.Load()})
}

// tally counts what all subscribers of one process receive. Safe for concurrent use.
type tally struct {
	payloads payloads
	lose     int64                 // overlook every this many-th message; 0 = none
	came     atomic.Int64          // messages, if some are overlooked
	now      atomic.Pointer[round] // nil = none

	relinked atomic.Int64 // connections that broke and came back
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
	return t.wrong
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
	if !ok || s.tally.lose > 0 && s.tally.came.Add(1)%s.tally.lose == 0 {
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
		r.doubled.Add(1)
		return
	}
	s.seen[st.n/64] |= bit
	r.took.add(took)
	last := &r.last[st.n]
	for old := last.Load(); took > old && !last.CompareAndSwap(old, took); {
		old = last.Load()
	}
	r.receipts.Add(1)
}

// lookEvery is how often a wait looks whether all has come.
const lookEvery = 5 * time.Millisecond

// await waits until so many receipts have come, or none did for as long as patience.
func (t *tally) await(ctx context.Context, want int64, patience time.Duration) (word, error) {
	r := t.now.Load()
	if r == nil {
		return word{}, errors.New("there is no round")
	}
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	came, moved := int64(-1), time.Now()
	for {
		n := r.receipts.Load()
		if n >= want {
			break
		}
		if now := time.Now(); n != came {
			came, moved = n, now
		} else if now.Sub(moved) > patience {
			break
		}
		select {
		case <-ctx.Done():
			return word{}, ctx.Err()
		case <-look.C:
		}
	}
	w := word{Receipts: r.receipts.Load(), Doubled: r.doubled.Load(), Took: r.took.counts(), Relinked: t.relinked.Load() - r.relinked}
	for i := range r.last {
		w.Last = append(w.Last, r.last[i].Load())
	}
	if err := t.complaint(); err != nil {
		return w, fmt.Errorf("a gateway: %w", err)
	}
	return w, nil
}
