package load

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"selvedge/internal/identity"
)

// group is the sockets of one name in this process.
type group struct {
	tally
	name   string
	tokens []string // signed, for the next connect

	left    atomic.Int64 // sockets that are not welcome yet
	welcome atomic.Int64 // bytes of the last welcome's payload

	arrival sync.Mutex
	nanos   []int64       // guarded by arrival; how long each took
	moments []int64       // guarded by arrival; when each was welcome
	err     error         // guarded by arrival; why connecting failed, the first reason
	all     chan struct{} // guarded by arrival; closed when none is left, or one failed
}

// sign makes the tokens of count users.
func (g *group) sign(prefix string, first, count int) error {
	now := time.Now()
	g.tokens = make([]string, count)
	for i := range g.tokens {
		var err error
		g.tokens[i], err = identity.Sign([]byte(identity.DevTokenSecret),
			identity.Claims{User: UserID(prefix, first+i), Expires: now.Add(12 * time.Hour)}, now)
		if err != nil {
			return err
		}
	}
	return nil
}

// begin prepares to connect n sockets.
func (g *group) begin(n int) {
	g.arrival.Lock()
	defer g.arrival.Unlock()
	g.nanos, g.moments = make([]int64, 0, n), make([]int64, 0, n)
	g.err, g.all = nil, make(chan struct{})
	g.left.Store(int64(n))
	if n == 0 {
		close(g.all)
	}
}

// welcomed counts a socket that is.
func (g *group) welcomed(r *receiver, size int) {
	g.welcome.Store(int64(size))
	g.open.Add(1)
	g.arrival.Lock()
	defer g.arrival.Unlock()
	g.nanos = append(g.nanos, int64(r.took))
	g.moments = append(g.moments, r.began+int64(r.took))
	if g.left.Add(-1) == 0 && g.err == nil {
		close(g.all)
	}
}

// arrived is what came of connecting, which began at start. It is told once:
// neither the tokens nor the times are kept.
func (g *group) arrived(start int64) (word, error) {
	g.arrival.Lock()
	defer g.arrival.Unlock()
	w := word{Start: start, End: Now(), Nanos: g.nanos, At: g.moments, Welcome: int(g.welcome.Load())}
	g.tokens, g.nanos, g.moments = nil, nil, nil
	return w, g.err
}

// ended counts a socket that ended by itself, or never was welcome.
func (g *group) ended(r *receiver, err error) {
	if r.stage == running {
		g.open.Add(-1)
		g.complain(err, func(s *Stats) { s.Closed++ })
		return
	}
	g.arrival.Lock()
	defer g.arrival.Unlock()
	if g.err == nil {
		g.err = fmt.Errorf("a socket was not welcome: %w", err)
		close(g.all)
	}
}

// looks is how often a wait looks for progress in the time that it has.
const looks = 20

// await waits until the round has all that was expected, or nothing came for as
// long as patience.
func (t *tally) await(ctx context.Context, patience time.Duration) (word, error) {
	t.mu.Lock()
	done := t.done
	t.mu.Unlock()
	look := time.NewTicker(max(patience/looks, time.Millisecond))
	defer look.Stop()
	moved, frames := time.Now(), t.frames.Load()
	for {
		select {
		case <-done:
			return t.outcome(), nil
		case <-ctx.Done():
			return word{}, ctx.Err()
		case now := <-look.C:
			if n := t.frames.Load(); n != frames {
				moved, frames = now, n
			} else if now.Sub(moved) >= patience {
				return t.outcome(), nil
			}
		}
	}
}

// outcome is what the round brought so far.
func (t *tally) outcome() word {
	t.mu.Lock()
	defer t.mu.Unlock()
	return word{
		Complete: t.last != 0 || t.target.Load() == 0, Frames: t.frames.Load(), Bytes: t.bytes.Load(), End: t.last,
		Receipts: receipts(t.times),
	}
}
