package cache

import "slices"

// holdLocked counts a frame in. filled says that a fill brought it.
func (l *Log) holdLocked(ch *Channel, f *Frame, filled bool) {
	n := int64(f.size())
	l.bytes.Add(n)
	l.cache.bytes.Add(n)
	l.frames++
	e := entry{ch: ch, seq: f.Seq}
	if filled {
		l.filled += n
		e.round, e.filled = l.cache.round.Load(), uint32(l.filled>>10)
	}
	l.held = append(l.held, e)
}

// releaseLocked counts a frame out. Its entry stays behind, stale.
func (l *Log) releaseLocked(f *Frame) {
	n := int64(f.size())
	l.bytes.Add(-n)
	l.cache.bytes.Add(-n)
	l.frames--
}

// stale reports whether the frame of e is gone: a channel loses its oldest
// frames only.
func (e entry) stale() bool {
	frames := e.ch.frames()
	return len(frames) == 0 || frames[0].Seq > e.seq
}

// compactLocked drops the entries of frames that are gone, once they are the
// most: channels that come and go must not leave them behind.
func (l *Log) compactLocked() {
	if len(l.held)-l.head < 2*l.frames+1024 {
		return
	}
	kept := make([]entry, 0, l.frames)
	for _, e := range l.held[l.head:] {
		if !e.stale() {
			kept = append(kept, e)
		}
	}
	l.held, l.head = kept, 0
}

// minFresh is the least that is kept of a log's fills, in bytes.
const minFresh = 1 << 20

// NextFills is to be called every second. What was filled since the last call but
// one is kept, as far as it is the latest of its log's share of the cache, or of
// minFresh: a reader needs all its channels in a log at once, and what went before
// the others came would be filled again, for ever. The cache may be over its
// budget by that, and by what comes to these channels meanwhile.
func (c *Cache) NextFills() { c.round.Add(1) }

// fresh reports whether e is kept for now.
func (l *Log) fresh(e entry, round uint32) bool {
	return e.round != 0 && round-e.round <= 1 && uint32(l.filled>>10)-e.filled <= uint32(max(l.cache.share, minFresh)>>10)
}

// maxLooks bounds the entries that one call looks at: where most are fresh, the
// next call goes on.
const maxLooks = 4096

// evictLocked drops this log's oldest frames while the whole cache is over its
// budget and the log over its share.
func (l *Log) evictLocked() {
	c := l.cache
	round := c.round.Load()
	looks := min(len(l.held)-l.head, maxLooks) // at most one at each entry
	for ; looks > 0 && c.bytes.Load() > c.budget && l.bytes.Load() > c.share; looks-- {
		e := l.held[l.head]
		l.held[l.head] = entry{}
		l.head++
		switch {
		case e.stale():
		case l.fresh(e, round):
			l.held = append(l.held, e)
		case e.ch.frames()[0].Seq < e.seq:
			// Older frames came after this one, by a fill: somebody reads them. To
			// drop this one would drop them, too, so its turn comes after theirs.
			l.held = append(l.held, e)
		default:
			e.ch.dropLocked(e.seq)
		}
	}
	if l.head > 1024 && l.head > len(l.held)/2 {
		n := copy(l.held, l.held[l.head:])
		clear(l.held[n:])
		l.held, l.head = l.held[:n], 0
	}
}

// evict makes the logs that are over their share pay, the largest first, until
// the cache is within its budget. A log within its share loses nothing to
// others: else what is filled there could go before it is read, and be filled
// again, for ever. It takes the logs' locks, one at a time.
func (c *Cache) evict() {
	var tried []*Log // in vain
	for c.bytes.Load() > c.budget {
		var worst *Log
		most := c.share
		for _, l := range c.logs {
			if n := l.bytes.Load(); n > most && !slices.Contains(tried, l) {
				worst, most = l, n
			}
		}
		if worst == nil {
			return // another goroutine is at it, or it was filled a moment ago
		}
		worst.mu.Lock()
		worst.evictLocked()
		if worst.bytes.Load() == most {
			tried = append(tried, worst)
		}
		worst.mu.Unlock()
	}
}
