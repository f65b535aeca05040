package chain

import "selvedge/wire"

// longHole is a jump in the log's numbers at which the predecessors in memory
// are let go: the frames between were trimmed unseen, and so were theirs, or
// will be soon.
const longHole = 1 << 16

// beginPageLocked makes pos the last frame of recent, which begins where pos's
// page does.
func (c *Chain) beginPageLocked(pos wire.Seq) {
	n := int(pos % pageLen)
	c.written = pos - wire.Seq(n)
	c.recent = make([]uint64, n, pageLen)
	var page [pageLen]uint64
	if n > 0 && c.pages.read(uint64(pos/pageLen), &page) {
		copy(c.recent, page[:n])
	}
}

// pushLocked enters seq's predecessor plus one; 0 = not known.
func (c *Chain) pushLocked(seq wire.Seq, prev uint64) {
	if seq > c.pos+longHole {
		c.beginPageLocked(seq - 1)
	}
	for at := int(seq - c.written - 1); len(c.recent) < at; {
		c.recent = append(c.recent, 0)
	}
	c.recent = append(c.recent, prev)
}

// Reader reads predecessors, and is quick where one lies near the one before.
// Use it for one question, from one goroutine.
type Reader struct {
	c      *Chain
	loaded bool
	at     uint64 // the number of page
	page   [pageLen]uint64
}

// Reader is a new one.
func (c *Chain) Reader() *Reader { return &Reader{c: c} }

// Prev is the predecessor of a frame, as Add returned it, and whether it is
// known.
func (r *Reader) Prev(seq wire.Seq) (prev wire.Seq, ok bool) {
	if seq == 0 {
		return 0, false
	}
	stored, held := r.c.recentPrev(seq)
	if !held {
		at := uint64((seq - 1) / pageLen)
		if !r.loaded || at != r.at {
			r.at, r.loaded = at, r.c.pages.read(at, &r.page)
		}
		if r.loaded {
			stored = r.page[(seq-1)%pageLen]
		}
	}
	if stored == 0 {
		return 0, false
	}
	return wire.Seq(stored - 1), true
}

// recentPrev is what memory has of a frame's predecessor, plus one; held says
// that pages have no more.
func (c *Chain) recentPrev(seq wire.Seq) (prev uint64, held bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	switch {
	case seq > c.pos:
		return 0, true
	case seq > c.written:
		return c.recent[seq-c.written-1], true
	}
	return 0, false
}

// Back goes from a frame, or what Reaches says of a channel, to the channel's
// last one at or below floor, in at most so many steps; ok says that it is known.
func (r *Reader) Back(from, floor wire.Seq, steps int) (at wire.Seq, ok bool) {
	for at = from; at > floor; steps-- {
		if steps == 0 {
			return 0, false
		}
		if at, ok = r.Prev(at); !ok {
			return 0, false
		}
	}
	return at, true
}
