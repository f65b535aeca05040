package log

import (
	"sync"
	"time"

	"selvedge/wire"
)

// recent remembers the idempotency ids of one log for a window, by the monotonic
// clock. The log's engine remembers them, too, but by the wall clock: when that is
// set forward, it forgets all at once. So this is asked first; what it does not
// know (the process was started since, or another core took the first and could not
// tell: see told.go) the engine may. Safe for concurrent use.
//
// It takes about 100 bytes for an id, for one window at least and two at most.
type recent struct {
	window time.Duration // fixed

	mu         sync.Mutex
	began      time.Time // of young
	young, old map[dedupID]rememberedID
}

// rememberedID is where the post with an id is, and since when that is known.
type rememberedID struct {
	seq wire.Seq
	at  time.Time
}

func newRecent(window time.Duration) *recent { return &recent{window: window} }

// add remembers that the post with an id is at a position. Times never decrease
// by much.
func (r *recent) add(id dedupID, seq wire.Seq, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch age := now.Sub(r.began); {
	case r.young == nil || age >= 2*r.window:
		r.began, r.young, r.old = now, map[dedupID]rememberedID{}, nil
	case age >= r.window:
		r.began, r.young, r.old = now, map[dedupID]rememberedID{}, r.young
	}
	r.young[id] = rememberedID{seq, now}
}

// find says where the post with an id is, if it was added within the window.
func (r *recent) find(id dedupID, now time.Time) (wire.Seq, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range []map[dedupID]rememberedID{r.young, r.old} {
		if e, ok := m[id]; ok && now.Sub(e.at) < r.window {
			return e.seq, true
		}
	}
	return 0, false
}
