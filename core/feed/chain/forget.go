package chain

import (
	"slices"

	"selvedge/wire"
)

// forget drops a quarter of the channels when there are too many: those that
// were quiet longest, and have no frames above floor. What is then not known of
// them is the same as of what was never seen: base covers it.
func (c *Chain) forget(floor wire.Seq) {
	n := c.Channels()
	if n <= c.cfg.Channels || floor == c.tried {
		return
	}
	c.tried = floor
	ends := c.endsUpto(floor)
	if len(ends) < n/16 {
		return // not worth it yet
	}
	slices.Sort(ends)
	upto := ends[min(n/4, len(ends)-1)]
	c.mu.Lock()
	c.base = max(c.base, upto) // first: what is dropped must be covered
	c.mu.Unlock()
	for i := range c.channels {
		c.forgetShard(i, upto)
	}
	c.cfg.Logger.Warn("channels that were quiet long are forgotten: their readers may be told of a gap that there is not",
		"log", c.cfg.P, "channels", n-c.Channels(), "left", c.Channels(), "quiet since position", upto)
}

// endsUpto is the last frames of the channels that have none above floor.
func (c *Chain) endsUpto(floor wire.Seq) []wire.Seq {
	var ends []wire.Seq
	for i := range c.channels {
		c.mu.RLock()
		for _, l := range c.channels[i] {
			if l.Seq <= floor {
				ends = append(ends, l.Seq)
			}
		}
		c.mu.RUnlock()
	}
	return ends
}

func (c *Chain) forgetShard(i int, upto wire.Seq) {
	c.mu.Lock()
	defer c.mu.Unlock()
	// A new map: one that shrinks keeps its room.
	kept := make(map[wire.Key]Last)
	for k, l := range c.channels[i] {
		if l.Seq > upto {
			kept[k] = l
		}
	}
	c.channels[i] = kept
}
