package feed

import (
	"sync"

	"selvedge/wire"
)

// index remembers the last frame of every channel of one log, by the hash that
// interests use: 64 bytes or so a channel. Two channels of one hash share an
// entry, the later of the two: prev stays a promise that holds, and Moved says
// a little too much.
type index struct {
	mu sync.RWMutex
	// Guarded by mu. What base covers may be gone: nothing is known of a channel
	// before it, unless there is an entry.
	base wire.Seq
	last map[wire.Key]last
}

type last struct {
	seq wire.Seq
	ts  int64 // Unix ms
}

func newIndex(base wire.Seq) *index { return &index{base: base, last: map[wire.Key]last{}} }

// add enters a frame and returns its prev. A jump in the log's own numbers,
// from the one before, raises it for every channel (rule 4).
func (x *index) add(k wire.Key, seq, before wire.Seq, ts int64) (prev wire.Seq) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if seq > before+1 {
		x.base = seq - 1
	}
	prev = max(x.last[k].seq, x.base)
	x.last[k] = last{seq, ts}
	return prev
}

// raise says that what is up to base may be gone.
func (x *index) raise(base wire.Seq) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.base = max(x.base, base)
}

// of is a channel's last frame; zero if it is not known to have one.
func (x *index) of(k wire.Key) last {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.last[k]
}

// moved reports whether a channel has, or may have, frames after since.
func (x *index) moved(k wire.Key, since wire.Seq) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if l, ok := x.last[k]; ok {
		return l.seq > since
	}
	return x.base > since
}

func (x *index) channels() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.last)
}
