package cache

import (
	"math"
	"sort"
	"sync/atomic"

	"selvedge/wire"
)

// Channel is a channel that somebody at this edge uses. There is one per name,
// so that pointers compare. It is small: there is one for the inbox of each user.
type Channel struct {
	Name wire.Channel
	log  *Log // fixed
	// All frames in (floor, log.pos] are held. It is notLive while there is no such
	// range; written under log.mu.
	floor atomic.Uint64
	held  *held // guarded by log.mu; nil while it would be empty
	refs  int32 // guarded by log.mu
	P     wire.LogID
}

// held is what few channels have at a time.
type held struct {
	frames []*Frame // ascending
	lost   wire.Seq // everything in (.., lost] that is not held is gone at the core, too
}

// notLive is the floor of a channel without a range. Positions are below 2^63.
const notLive = math.MaxUint64

func newChannel(name wire.Channel, l *Log) *Channel {
	c := &Channel{Name: name, P: l.p, log: l}
	c.floor.Store(notLive)
	return c
}

// Floor is the position above which the channel's frames are held, and whether
// there is such a range at all yet.
func (c *Channel) Floor() (wire.Seq, bool) {
	if n := c.floor.Load(); n != notLive {
		return wire.Seq(n), true
	}
	return 0, false
}

// isLive reports whether the channel has a range.
func (c *Channel) isLive() bool { return c.floor.Load() != notLive }

func (c *Channel) frames() []*Frame {
	if c.held == nil {
		return nil
	}
	return c.held.frames
}

func (c *Channel) lost() wire.Seq {
	if c.held == nil {
		return 0
	}
	return c.held.lost
}

func (c *Channel) setFramesLocked(frames []*Frame) {
	if len(frames) == 0 {
		frames = nil // not the array, either
	}
	switch {
	case c.held != nil:
		c.held.frames = frames
	case frames != nil:
		c.held = &held{frames: frames}
	}
	c.shrinkLocked()
}

func (c *Channel) setLostLocked(seq wire.Seq) {
	switch {
	case c.held != nil:
		c.held.lost = seq
	case seq != 0:
		c.held = &held{lost: seq}
	}
	c.shrinkLocked()
}

func (c *Channel) shrinkLocked() {
	if c.held != nil && c.held.frames == nil && c.held.lost == 0 {
		c.held = nil
	}
}

// resetLocked ends the range, with all that it holds.
func (c *Channel) resetLocked() {
	for _, f := range c.frames() {
		c.log.releaseLocked(f)
	}
	c.held = nil
	c.floor.Store(notLive)
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
	floor, live := c.Floor()
	switch {
	case !live:
		return dst, Missing, 0
	case after < floor && c.lost() >= floor:
		return dst, Gone, floor
	case after < floor:
		return dst, Missing, 0
	}
	frames := c.frames()
	i := sort.Search(len(frames), func(i int) bool { return frames[i].Seq > after })
	for n := 0; i < len(frames) && frames[i].Seq <= upto; i++ {
		if n > 0 && limit <= 0 {
			return dst, Partial, 0
		}
		dst = append(dst, frames[i])
		limit -= len(frames[i].Bytes)
		n++
	}
	return dst, Complete, 0
}

// SetLive starts the channel's range: every frame after floor is held or will
// come on the log's stream. Append up to the marker that says so must follow; a
// floor beyond the marker means the marker.
func (c *Channel) SetLive(floor wire.Seq) {
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	if !c.isLive() {
		c.floor.Store(uint64(floor))
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
	c.setLostLocked(max(c.lost(), f.Gone))
	floor, live := c.Floor()
	if !live || f.Upto < floor || f.Floor >= floor {
		return
	}
	n := sort.Search(len(frames), func(i int) bool { return frames[i].Seq > floor })
	frames = frames[:n:n]
	for _, fr := range frames {
		l.holdLocked(c, fr)
	}
	c.setFramesLocked(append(frames, c.frames()...))
	c.floor.Store(uint64(f.Floor))
}

// dropLocked forgets the frames up to seq and raises the floor to it.
func (c *Channel) dropLocked(seq wire.Seq) {
	frames := c.frames()
	n := 0
	for n < len(frames) && frames[n].Seq <= seq {
		c.log.releaseLocked(frames[n])
		n++
	}
	clear(frames[:n])
	c.setFramesLocked(frames[n:])
	c.floor.Store(max(c.floor.Load(), uint64(seq)))
}
