package cache

import (
	"cmp"
	"math"
	"slices"
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
	frames []*Frame // ascending: those in back, then those above the floor
	back   span
	lost   wire.Seq // everything in (.., lost] that is not held is gone at the core, too
}

// span is a part of a channel below its floor that is held whole: (floor, upto].
// The zero span is none. A reader whose backlog is larger than the cache is
// served from there: it grows at its upper end, as it is read, until it meets
// the floor, and loses its lower end meanwhile.
type span struct{ floor, upto wire.Seq }

func (s span) has(after wire.Seq) bool { return s.floor <= after && after < s.upto }

// touches reports whether both, taken together, are one.
func (s span) touches(o span) bool {
	return s != span{} && o.floor <= s.upto && s.floor <= o.upto
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

// heldLocked is what the channel holds, to be looked at.
func (c *Channel) heldLocked() held {
	if c.held == nil {
		return held{}
	}
	return *c.held
}

// holdLocked sets it; who holds nothing has no memory for it.
func (c *Channel) holdLocked(h held) {
	if len(h.frames) == 0 {
		h.frames = nil // not the array, either
	}
	switch {
	case h.frames == nil && h.back == span{} && h.lost == 0:
		c.held = nil
	case c.held == nil:
		c.held = &h
	default:
		*c.held = h
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
	Partial                // the oldest part of it; ask again for the rest
	Missing                // a fill is needed
	Gone                   // a part is gone
)

// Read appends to dst the channel's frames in (after, upto], oldest first, as
// long as their bytes stay within limit; at least one. at is how far that came:
// everything in (after, at] was appended or, with Gone, is gone.
func (c *Channel) Read(dst []*Frame, after, upto wire.Seq, limit int) (_ []*Frame, a Answer, at wire.Seq) {
	l := c.log
	l.mu.Lock()
	defer l.mu.Unlock()
	floor, live := c.Floor()
	h := c.heldLocked()
	a, at = Complete, upto
	switch {
	case !live:
		return dst, Missing, after
	case after >= floor:
	case h.back.has(after):
		if h.back.upto < upto {
			a, at = Partial, h.back.upto
		}
	case h.lost >= floor:
		return dst, Gone, floor
	case after < h.lost:
		return dst, Gone, h.lost
	default:
		return dst, Missing, after
	}
	i := sort.Search(len(h.frames), func(i int) bool { return h.frames[i].Seq > after })
	for n := 0; i < len(h.frames) && h.frames[i].Seq <= at; i++ {
		if n > 0 && limit <= 0 {
			return dst, Partial, h.frames[i-1].Seq
		}
		dst = append(dst, h.frames[i])
		limit -= len(h.frames[i].Bytes)
		n++
	}
	return dst, a, at
}

// Lacks reports whether a reader after a position has to wait for a fill, and
// how far that should reach. A channel whose interest isn't live yet lacks
// nothing: its marker will tell more.
func (c *Channel) Lacks(after wire.Seq) (upto wire.Seq, lacks bool) {
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	floor, live := c.Floor()
	h := c.heldLocked()
	return floor, live && after < floor && after >= h.lost && !h.back.has(after)
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

// Fill adds older frames: all of (f.Floor, f.Upto]. Those that reach the range
// that is held extend it; others make, or extend, the part before it that is
// read by who is far behind. A fill can't overtake: what lies above the floor is
// left out. What was filled is dropped last of its log, so that it can be read.
func (c *Channel) Fill(f *wire.Fill) (Filled, error) {
	frames := make([]*Frame, 0, len(f.Frames))
	for _, b := range f.Frames {
		fr, err := ParseFrame(b)
		if err != nil {
			return Filled{}, err
		}
		fr.Channel = c
		frames = append(frames, fr)
	}
	done := c.fill(f, frames)
	c.log.cache.evict()
	return done, nil
}

// Filled says what came of a fill.
type Filled struct {
	Moved     bool // the channel has something that it had not
	Displaced bool // it lost what another reader had asked for
}

func (c *Channel) fill(f *wire.Fill, frames []*Frame) (done Filled) {
	l := c.log
	l.mu.Lock()
	defer l.mu.Unlock()
	floor, live := c.Floor()
	if !live {
		return done
	}
	h := c.heldLocked()
	if f.Gone > h.lost {
		h.lost, done.Moved = f.Gone, true
	}
	if got := (span{f.Floor, min(f.Upto, floor)}); got.floor < got.upto {
		was := h.back
		h = c.takeLocked(h, got, frames)
		done.Moved = done.Moved || !was.has(got.floor) || got.upto > was.upto
		done.Displaced = was != span{} && h.back != span{} && (was.upto < got.floor || was.floor > got.upto)
	}
	c.holdLocked(h)
	return done
}

// takeLocked adds frames, which are all in got, to h. got lies below the floor.
func (c *Channel) takeLocked(h held, got span, frames []*Frame) held {
	touches := h.back.touches(got)
	fresh := slices.DeleteFunc(frames, func(f *Frame) bool {
		return f.Seq <= got.floor || f.Seq > got.upto || touches && f.Seq > h.back.floor && f.Seq <= h.back.upto
	})
	floor := wire.Seq(c.floor.Load())
	if touches {
		got = span{min(got.floor, h.back.floor), max(got.upto, h.back.upto)}
	}
	switch {
	case got.upto == floor:
		c.floor.Store(uint64(got.floor))
		if touches {
			h.back = span{}
		}
	case touches:
		h.back = got
	default: // another reader's part makes room: it asks again
		h = c.dropUpToLocked(h, h.back.upto)
		h.back = got
	}
	for _, f := range fresh {
		c.log.holdLocked(c, f, true)
	}
	h.frames = append(fresh, h.frames...)
	slices.SortFunc(h.frames, func(a, b *Frame) int { return cmp.Compare(a.Seq, b.Seq) })
	return h
}

// dropUpToLocked takes the frames up to seq out of h, and what it says of them.
func (c *Channel) dropUpToLocked(h held, seq wire.Seq) held {
	n := 0
	for n < len(h.frames) && h.frames[n].Seq <= seq {
		c.log.releaseLocked(h.frames[n])
		n++
	}
	clear(h.frames[:n])
	h.frames = h.frames[n:]
	if h.back.floor = max(h.back.floor, seq); h.back.floor >= h.back.upto {
		h.back = span{}
	}
	return h
}

// dropLocked forgets the frames up to seq, and raises the floor to it if that is
// lower.
func (c *Channel) dropLocked(seq wire.Seq) {
	c.holdLocked(c.dropUpToLocked(c.heldLocked(), seq))
	c.floor.Store(max(c.floor.Load(), uint64(seq)))
}
