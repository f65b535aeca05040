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
	channels map[wire.Channel]*Channel
	held     []entry // frames in the order in which they came; held[head:]
	head     int
	frames   int // frames held
}

// entry is one frame in the order of dropping.
type entry struct {
	ch  *Channel
	seq wire.Seq
}

// Cache is an edge's frames, by log.
type Cache struct {
	budget int64
	bytes  atomic.Int64
	logs   []*Log
}

// New is an empty cache of logs frame logs that holds some budget bytes.
func New(logs int, budget int64) *Cache {
	c := &Cache{budget: budget, logs: make([]*Log, logs)}
	for p := range c.logs {
		c.logs[p] = &Log{p: wire.LogID(p), cache: c, channels: map[wire.Channel]*Channel{}}
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

// Acquire is the channel of a name, for its user until Release. first says
// that nobody held it: its interest must be asked for.
func (c *Cache) Acquire(name wire.Channel) (ch *Channel, first bool) {
	l := c.logs[wire.LogOf(name, len(c.logs))]
	l.mu.Lock()
	defer l.mu.Unlock()
	ch = l.channels[name]
	if ch == nil {
		ch = &Channel{Name: name, P: l.p, Key: wire.FramesKey(name), log: l}
		l.channels[name] = ch
		first = true
	}
	ch.refs++
	return ch, first
}

// Release gives a channel back. last says that nobody holds it any more: it is
// forgotten, and its interest may go.
func (c *Cache) Release(ch *Channel) (last bool) {
	l := ch.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if ch.refs--; ch.refs > 0 {
		return false
	}
	delete(l.channels, ch.Name)
	for _, f := range ch.frames {
		l.releaseLocked(f)
	}
	ch.frames, ch.live = nil, false
	l.compactLocked()
	return true
}

// Find is the channel of a name if somebody holds it.
func (c *Cache) Find(name wire.Channel) *Channel {
	l := c.logs[wire.LogOf(name, len(c.logs))]
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.channels[name]
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
	l.mu.Lock()
	defer l.mu.Unlock()
	out := frames[:0]
	for _, f := range frames {
		ch := l.channels[f.Ch]
		if f.Seq <= l.pos || ch == nil || !ch.live {
			continue // a repetition, a hash's twin, or a channel just left
		}
		f.Channel = ch
		if f.Prev > l.pos && f.Prev > ch.lastLocked() {
			f.Hole = true
			ch.dropLocked(f.Prev)
		}
		ch.frames = append(ch.frames, f)
		l.holdLocked(ch, f)
		l.pos = f.Seq
		out = append(out, f)
	}
	l.pos = max(l.pos, upto)
	l.evictLocked()
	return out
}

// lastLocked is the position of the channel's last frame held, or its floor.
func (c *Channel) lastLocked() wire.Seq {
	if n := len(c.frames); n > 0 {
		return c.frames[n-1].Seq
	}
	return c.floor
}

// Gap says that what was not received up to floor is gone at the source: every
// channel's range starts anew there.
func (l *Log) Gap(floor wire.Seq) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, ch := range l.channels {
		if ch.live && floor > l.pos {
			ch.dropLocked(floor)
			ch.lost = max(ch.lost, floor)
		}
	}
	l.pos = max(l.pos, floor)
}

// Start sets the position of a log that is followed anew, such as in another
// epoch: nothing that was held is of use.
func (l *Log) Start(pos wire.Seq) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, ch := range l.channels {
		for _, f := range ch.frames {
			l.releaseLocked(f)
		}
		ch.frames, ch.live, ch.floor, ch.lost = nil, false, 0, 0
	}
	l.pos, l.held, l.head = pos, nil, 0
}

func (l *Log) holdLocked(ch *Channel, f *Frame) {
	l.cache.bytes.Add(int64(f.size()))
	l.frames++
	l.held = append(l.held, entry{ch, f.Seq})
}

func (l *Log) releaseLocked(f *Frame) {
	l.cache.bytes.Add(-int64(f.size()))
	l.frames--
}

// compactLocked drops the entries of frames that are gone, once they are the
// most: channels that come and go must not leave them behind.
func (l *Log) compactLocked() {
	if len(l.held)-l.head < 2*l.frames+1024 {
		return
	}
	kept := make([]entry, 0, l.frames)
	for _, e := range l.held[l.head:] {
		if len(e.ch.frames) > 0 && e.ch.frames[0].Seq <= e.seq {
			kept = append(kept, e)
		}
	}
	l.held, l.head = kept, 0
}

// evictLocked drops this log's oldest frames while the whole cache is over its
// budget. The log that grows pays: no lock of another is needed.
func (l *Log) evictLocked() {
	for l.cache.bytes.Load() > l.cache.budget && l.head < len(l.held) {
		e := l.held[l.head]
		l.held[l.head] = entry{}
		l.head++
		if len(e.ch.frames) > 0 && e.ch.frames[0].Seq <= e.seq {
			e.ch.dropLocked(e.seq)
		}
	}
	if l.head > 1024 && l.head > len(l.held)/2 {
		n := copy(l.held, l.held[l.head:])
		clear(l.held[n:])
		l.held, l.head = l.held[:n], 0
	}
}
