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
	filled   int64      // bytes that fills have brought, ever
	young    []*Channel // their floor may lie beyond pos, until the next Append

	bytes   atomic.Int64  // of the frames held; written under mu
	trimmed atomic.Uint64 // as the last watermark said; what is up to it may be held all the same
}

// entry is one frame in the order of dropping.
type entry struct {
	ch  *Channel
	seq wire.Seq
	// Of frames that a fill brought, see NextFills; round is 0 for others.
	round, filled uint32 // the round, and the log's fills until then in KiB
}

// Cache is an edge's frames, by log.
type Cache struct {
	budget int64
	share  int64 // of the budget that each log may count on, whatever others hold
	bytes  atomic.Int64
	round  atomic.Uint32 // of fills, see NextFills; never 0
	logs   []*Log
}

// New is an empty cache of logs frame logs that holds some budget bytes.
func New(logs int, budget int64) *Cache {
	c := &Cache{budget: budget, share: budget / int64(logs), logs: make([]*Log, logs)}
	c.round.Store(1)
	for p := range c.logs {
		c.logs[p] = &Log{p: wire.LogID(p), cache: c, channels: newNames()}
	}
	return c
}

// Log is log p.
func (c *Cache) Log(p wire.LogID) *Log { return c.logs[p] }

// Share is what each log may hold whatever the others do, in bytes.
func (c *Cache) Share() int64 { return c.share }

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

// SetTrimmed takes note that everything up to a position is gone at the core.
func (l *Log) SetTrimmed(floor wire.Seq) { l.trimmed.Store(uint64(floor)) }

// Trimmed is what SetTrimmed was told last.
func (l *Log) Trimmed() wire.Seq { return wire.Seq(l.trimmed.Load()) }

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
		h := ch.heldLocked()
		h.frames = append(h.frames, f)
		ch.holdLocked(h)
		l.holdLocked(ch, f, false)
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
	floor := wire.Seq(c.floor.Load())
	if frames := c.frames(); len(frames) > 0 {
		return max(frames[len(frames)-1].Seq, floor)
	}
	return floor
}

// Gap says that up to floor nothing more comes by the link: it is gone at the
// source. Of the channels, those lost may have lost frames; all others have
// everything. What is held of the lost begins anew there, and who reads them from
// below asks for a fill, which tells exactly.
func (l *Log) Gap(floor wire.Seq, lost []wire.Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if floor <= l.pos {
		return // of the past
	}
	keys := make(map[wire.Key]struct{}, len(lost))
	for _, k := range lost {
		keys[k] = struct{}{}
	}
	for ch := range l.channels.all() {
		if _, gone := keys[wire.FramesKey(ch.Name)]; gone && ch.isLive() {
			ch.dropLocked(floor)
		}
	}
	l.pos = floor
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
	l.trimmed.Store(0)
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
