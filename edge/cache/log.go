package cache

import (
	"sync"
	"sync/atomic"

	"selvedge/wire"
)

// Log is the cached part of one frame log. It is safe for concurrent use.
type Log struct {
	p     wire.LogID
	cache *Cache

	mu sync.Mutex
	// Guarded by mu. Everything of ours up to pos has been received.
	pos      wire.Seq
	channels names
	held     []entry // frames in the order in which they came; held[head:]
	head     int
	frames   int        // frames held
	young    []*Channel // their floor may lie beyond pos, until the next Append

	bytes atomic.Int64 // of the frames held; written under mu
}

// entry is one frame in the order of dropping.
type entry struct {
	ch  *Channel
	seq wire.Seq
}

// Cache is an edge's frames, by log.
type Cache struct {
	budget int64
	share  int64 // of the budget that each log may count on, whatever others hold
	bytes  atomic.Int64
	logs   []*Log
}

// New is an empty cache of logs frame logs that holds some budget bytes.
func New(logs int, budget int64) *Cache {
	c := &Cache{budget: budget, share: budget / int64(logs), logs: make([]*Log, logs)}
	for p := range c.logs {
		c.logs[p] = &Log{p: wire.LogID(p), cache: c, channels: newNames()}
	}
	return c
}

// Log is log p.
func (c *Cache) Log(p wire.LogID) *Log { return c.logs[p] }

// Logs is the number of frame logs.
func (c *Cache) Logs() int { return len(c.logs) }

// Bytes is what the cache holds.
func (c *Cache) Bytes() int64 { return c.bytes.Load() }

// Positions are the positions by log.
func (c *Cache) Positions() []wire.Seq {
	out := make([]wire.Seq, len(c.logs))
	for p, l := range c.logs {
		out[p] = l.Pos()
	}
	return out
}

// Pos is the position up to which everything of ours was received.
func (l *Log) Pos() wire.Seq {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pos
}

// Append takes what the link delivered: frames in log order, complete up to
// upto. It keeps and returns those that somebody here wants and has not had.
func (l *Log) Append(frames []*Frame, upto wire.Seq) []*Frame {
	out := l.append(frames, upto)
	l.cache.evict()
	return out
}

func (l *Log) append(frames []*Frame, upto wire.Seq) []*Frame {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := frames[:0]
	for _, f := range frames {
		ch := l.channels.find(f.Ch)
		if f.Seq <= l.pos || ch == nil || !ch.isLive() {
			continue // a repetition, a hash's twin, or a channel just left
		}
		f.Channel = ch
		if f.Prev > l.pos && f.Prev > ch.lastLocked() {
			f.Hole = true
			ch.dropLocked(f.Prev)
		}
		ch.setFramesLocked(append(ch.frames(), f))
		l.holdLocked(ch, f)
		l.pos = f.Seq
		out = append(out, f)
	}
	l.pos = max(l.pos, upto)
	// A reader that knows more than this edge may have asked for a channel from
	// a position that the log has yet to reach. What comes until then is held.
	for _, ch := range l.young {
		ch.floor.Store(min(ch.floor.Load(), uint64(l.pos)))
	}
	l.young = nil
	l.evictLocked() // the log that grows pays first
	return out
}

// lastLocked is the position of the channel's last frame held, or its floor.
func (c *Channel) lastLocked() wire.Seq {
	if frames := c.frames(); len(frames) > 0 {
		return frames[len(frames)-1].Seq
	}
	return wire.Seq(c.floor.Load())
}

// Gap says that what was not received up to floor is gone at the source: every
// channel's range starts anew there.
func (l *Log) Gap(floor wire.Seq) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for ch := range l.channels.all() {
		if ch.isLive() && floor > l.pos {
			ch.dropLocked(floor)
			ch.setLostLocked(max(ch.lost(), floor))
		}
	}
	l.pos = max(l.pos, floor)
}

// Start sets the position of a log that is followed anew, such as in another
// epoch: nothing that was held is of use.
func (l *Log) Start(pos wire.Seq) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.startLocked(pos)
}

func (l *Log) startLocked(pos wire.Seq) {
	for ch := range l.channels.all() {
		ch.resetLocked()
	}
	l.pos, l.held, l.head, l.young = pos, nil, 0, nil
}

// Restart is Start for another epoch. Who still holds a channel is on the way
// out and sees nothing of it any more: the next to acquire its name gets another
// one, whose interest is asked for anew.
func (l *Log) Restart(pos wire.Seq) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.startLocked(pos)
	l.channels = newNames()
}
