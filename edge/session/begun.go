package session

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"selvedge/wire"
)

// begun knows where in the logs memberships begin: whoever stands at a beginning or
// beyond needs nothing to be kept from them. To know that of each user and log would
// be the largest part of a user, so it is known of all users together, by turns: what
// was noted until a turn ended bounds the beginnings of each user of whom nothing was
// noted since. The zero value knows of none. It is safe for concurrent use.
type begun struct {
	latest [wire.MaxLogs]atomic.Uint64 // by log, of all users

	mu    sync.Mutex
	open  turn         // guarded by mu: the present one
	since time.Time    // guarded by mu: when it began
	past  [][]wire.Seq // guarded by mu: latest at the ends of the turns before, oldest first
}

// turn is the number of a turn.
type turn uint32

const (
	// turnTime is the least that a turn takes; it ends with the next beginning that is
	// noted after that.
	turnTime = time.Second
	// maxTurns is how many are remembered. Most who resume were cut off less than a
	// minute ago, and nobody's cursor is older than the time between two pings before
	// that.
	maxTurns = 128
)

// note takes the beginning of a membership. done follows.
func (b *begun) note(p wire.LogID, from wire.Seq) {
	for at := &b.latest[p]; ; {
		have := at.Load()
		if have >= uint64(from) || at.CompareAndSwap(have, uint64(from)) {
			return
		}
	}
}

// done ends what note was told of a user, in so many logs: the turn bounds all its
// beginnings.
func (b *begun) done(logs int, now time.Time) turn {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Sub(b.since) < turnTime {
		return b.open
	}
	ends := make([]wire.Seq, logs)
	for p := range ends {
		ends[p] = wire.Seq(b.latest[p].Load())
	}
	if len(b.past) == maxTurns {
		b.past = slices.Delete(b.past, 0, 1)
	}
	b.past = append(b.past, ends)
	b.open++
	b.since = now
	return b.open - 1
}

// reset starts anew, for other logs.
func (b *begun) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for p := range b.latest {
		b.latest[p].Store(0)
	}
	b.past = nil
	b.since = time.Time{}
}

// passed reports whether positions are at or beyond every beginning that t bounds.
func (b *begun) passed(at []wire.Seq, t turn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	ends := func(p int) wire.Seq { return wire.Seq(b.latest[p].Load()) }
	if ago := int(b.open - t); ago > 0 && len(b.past) > 0 {
		past := b.past[max(len(b.past)-ago, 0)] // later ones bound more
		ends = func(p int) wire.Seq { return past[p] }
	}
	for p, pos := range at {
		if pos < ends(p) {
			return false
		}
	}
	return true
}
