package cache

import (
	"sort"

	"selvedge/wire"
)

// Channel is a channel that somebody at this edge uses. There is one per name,
// so that pointers compare.
type Channel struct {
	Name wire.Channel
	Key  wire.Key
	P    wire.LogID

	// Guarded by log.mu.
	live bool // the range below is valid and grows with the log
	refs int32
	log  *Log // fixed
	// All frames in (floor, log.pos] are held. Everything in (.., lost] that is
	// not held is gone at the core, too.
	floor, lost wire.Seq
	frames      []*Frame // ascending
}

// Answer says what a Read found.
type Answer uint8

// The answers.
const (
	Complete Answer = iota // everything asked for that exists
	Partial                // the oldest part of it; the rest is there too
	Missing                // a fill is needed
	Gone                   // a part is gone: Read says up to where
)

// Read appends to dst the channel's frames in (after, upto], oldest first, as
// long as their bytes stay within limit; at least one. With Gone, frames up to
// lost are gone, and the rest can be read after that.
func (c *Channel) Read(dst []*Frame, after, upto wire.Seq, limit int) (_ []*Frame, a Answer, lost wire.Seq) {
	l := c.log
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case !c.live:
		return dst, Missing, 0
	case after < c.floor && c.lost >= c.floor:
		return dst, Gone, c.floor
	case after < c.floor:
		return dst, Missing, 0
	}
	i := sort.Search(len(c.frames), func(i int) bool { return c.frames[i].Seq > after })
	for n := 0; i < len(c.frames) && c.frames[i].Seq <= upto; i++ {
		if n > 0 && limit <= 0 {
			return dst, Partial, 0
		}
		dst = append(dst, c.frames[i])
		limit -= len(c.frames[i].Bytes)
		n++
	}
	return dst, Complete, 0
}

// Floor is the position above which the channel's frames are held, and whether
// there is such a range at all yet.
func (c *Channel) Floor() (wire.Seq, bool) {
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	return c.floor, c.live
}

// SetLive starts the channel's range: every frame after floor is held or will
// come on the log's stream. Append up to the marker that says so must follow; a
// floor beyond the marker means the marker.
func (c *Channel) SetLive(floor wire.Seq) {
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	if !c.live {
		c.live, c.floor = true, floor
		if floor > c.log.pos {
			c.log.young = append(c.log.young, c)
		}
	}
}

// Fill adds older frames: all of (f.Floor, f.Upto]. It is ignored unless it
// reaches the range that is held and extends it: a fill can't overtake. What
// was filled is dropped last of its log, so that it can be read.
func (c *Channel) Fill(f *wire.Fill) error {
	frames := make([]*Frame, 0, len(f.Frames))
	for _, b := range f.Frames {
		fr, err := ParseFrame(b)
		if err != nil {
			return err
		}
		frames = append(frames, fr)
	}
	c.fill(f, frames)
	c.log.cache.evict()
	return nil
}

func (c *Channel) fill(f *wire.Fill, frames []*Frame) {
	l := c.log
	l.mu.Lock()
	defer l.mu.Unlock()
	c.lost = max(c.lost, f.Gone)
	if !c.live || f.Upto < c.floor || f.Floor >= c.floor {
		return
	}
	n := sort.Search(len(frames), func(i int) bool { return frames[i].Seq > c.floor })
	frames = frames[:n:n]
	for _, fr := range frames {
		l.holdLocked(c, fr)
	}
	c.frames = append(frames, c.frames...)
	c.floor = f.Floor
}

// dropLocked forgets the frames up to seq and raises the floor to it.
func (c *Channel) dropLocked(seq wire.Seq) {
	n := 0
	for n < len(c.frames) && c.frames[n].Seq <= seq {
		c.log.releaseLocked(c.frames[n])
		n++
	}
	clear(c.frames[:n])
	if c.frames = c.frames[n:]; len(c.frames) == 0 {
		c.frames = nil
	}
	c.floor = max(c.floor, seq)
}
