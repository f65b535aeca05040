package cache

import "selvedge/wire"

// Moved says whether the channel has frames after a position, without reading
// them. last is the last one, or, where not all are held, a position that none
// of those lacking lies beyond; 0 = there are none. Else, with known false, a
// fill from at is needed to tell: there are none in (after, at].
func (c *Channel) Moved(after wire.Seq) (last, at wire.Seq, known bool) {
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	floor, live := c.Floor()
	if !live {
		return 0, after, false
	}
	h := c.heldLocked()
	if n := len(h.frames); n > 0 && h.frames[n-1].Seq > after {
		return max(h.frames[n-1].Seq, floor), after, true
	}
	switch {
	case after >= floor:
		return 0, after, true
	case after < h.lost:
		return max(h.lost, floor), after, true
	case h.back.has(after):
		return 0, h.back.upto, false
	default:
		return 0, after, false
	}
}
