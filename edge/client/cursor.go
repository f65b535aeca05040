package client

import (
	"fmt"
	"maps"
	"strconv"

	"selvedge/internal/bug"
	"selvedge/wire"
)

// Cursor is how far a session got, and all that it needs to resume. It is pure
// logic: every message of an edge that matters is applied to it, in the order
// of arrival.
//
// A log has one position. A channel follows its log, unless it has a position
// of its own: while it is late (it joined, or was subscribed, when the log was
// already further), and from then on until its log has passed that position.
// What is covered, and hence never delivered again, is the channel's own
// position if it has one, else its log's.
//
// The zero value has seen nothing and can't resume. Not safe for concurrent use.
type Cursor struct {
	epoch string
	v     wire.Seq
	at    map[wire.LogID]wire.Seq
	own   map[wire.Channel]position
	// last is the last frame delivered of each channel. A rejoin is announced
	// from where the room stood then, and an edge that learned of it late has
	// delivered frames beyond that: they must not come twice.
	last map[wire.Channel]wire.Seq
	// shown are the rooms that have the focus; nil = there is none, and frames
	// come of all.
	shown map[wire.RoomID]struct{}
}

// position is where a channel stands that does not stand where its log stands.
type position struct {
	p   wire.LogID
	seq wire.Seq
	// late: back frames may still come. Nothing but they, live, or a frame that
	// is not a back frame move the channel, however far its log is.
	late bool
}

// Verdict is what a frame is to a session.
type Verdict uint8

// The verdicts.
const (
	Duplicate Verdict = iota // seen before: to be dropped
	Fresh                    // to be delivered; the cursor has moved
	Hole                     // a frame of the channel before this one never came; nothing has moved
)

// Started reports whether there is anything to resume from.
func (c *Cursor) Started() bool { return c.epoch != "" }

// Epoch is the identity of the logs that the cursor points into; "" = none yet.
func (c *Cursor) Epoch() string { return c.epoch }

// Welcome starts afresh, or goes on if the edge resumes this cursor.
//
// A resumed welcome echoes where the replay starts and moves nothing: v in
// particular stays until the replayed joins have come, or a cut before them
// would lose them. A channel with a position of its own may be late again.
func (c *Cursor) Welcome(w *wire.Welcome) error {
	if w.Resumed && c.Started() {
		if w.Cursor.Epoch != c.epoch {
			return fmt.Errorf("%w: it resumes epoch %q, the session is of epoch %q", errDefect, w.Cursor.Epoch, c.epoch)
		}
		for ch, own := range c.own {
			own.late = !c.hides(ch)
			c.own[ch] = own
		}
		return nil
	}
	if w.Cursor.Epoch == "" {
		return fmt.Errorf("%w: a welcome without an epoch", errDefect)
	}
	positions, err := w.Cursor.At.Positions(len(w.Cursor.At))
	if err != nil {
		return fmt.Errorf("%w: welcome: %w", errDefect, err)
	}
	*c = Cursor{
		epoch: w.Cursor.Epoch,
		v:     w.Cursor.V,
		at:    make(map[wire.LogID]wire.Seq, len(positions)),
		own:   make(map[wire.Channel]position),
		last:  make(map[wire.Channel]wire.Seq),
		shown: c.shown, // hello said so
	}
	for p, seq := range positions {
		c.at[wire.LogID(p)] = seq
	}
	for ch, seq := range w.Cursor.Behind {
		c.begin(ch, c.logOf(ch), seq)
	}
	return nil
}

// Covered is up to where channel ch of log p was received.
func (c *Cursor) Covered(ch wire.Channel, p wire.LogID) wire.Seq {
	if own, ok := c.own[ch]; ok && !bug.On(bug.LogPosition) {
		return own.seq
	}
	return c.at[p]
}

// Message takes a frame.
func (c *Cursor) Message(m *Message) Verdict {
	own, hasOwn := c.own[m.Ch]
	covered := c.Covered(m.Ch, m.P)
	if m.Seq <= covered {
		return Duplicate
	}
	// A log's position alone does not tell where a channel stood that was never
	// heard: unknown is not a hole.
	if _, heard := c.last[m.Ch]; (heard || hasOwn) && m.Prev > covered {
		return Hole
	}
	c.last[m.Ch] = m.Seq
	if m.Back {
		c.own[m.Ch] = position{p: m.P, seq: m.Seq, late: true}
		return Fresh
	}
	// Live frames of a late channel wait for its back frames: this one says that
	// the channel has caught up, even without a live.
	if hasOwn {
		own.seq, own.late = m.Seq, false
		c.own[m.Ch] = own
	}
	c.advance(m.P, m.Seq)
	return Fresh
}

// Joined takes a room: every frame after From comes, wherever its log stands.
// Its position is its own from this moment, so that a cut before the first back
// frame loses nothing and a cursor message can't cover it. Out of focus neither
// frames nor live come: it waits for none.
func (c *Cursor) Joined(m *wire.Joined) {
	c.v = max(c.v, m.V)
	c.begin(m.Ch, m.P, m.From)
}

// begin has a channel's frames after from come as a late channel, if it is shown.
func (c *Cursor) begin(ch wire.Channel, p wire.LogID, from wire.Seq) {
	seq := max(from, c.last[ch], c.own[ch].seq)
	c.own[ch] = position{p: p, seq: seq, late: !c.hides(ch)}
	c.settle(ch)
}

// Left takes a room that delivers no more.
func (c *Cursor) Left(m *wire.Left) {
	c.v = max(c.v, m.V)
	delete(c.own, m.Ch)
}

// Subscribed takes a topic whose frames after from come, missed ones included,
// even if the session had them before: asking for them again is its own wish.
func (c *Cursor) Subscribed(ch wire.Channel, p wire.LogID, from wire.Seq) {
	delete(c.last, ch)
	c.own[ch] = position{p: p, seq: from, late: true}
}

// Unsubscribed takes a topic that delivers no more.
func (c *Cursor) Unsubscribed(ch wire.Channel) {
	delete(c.own, ch)
	delete(c.last, ch)
}

// Live takes the end of a channel's back frames.
func (c *Cursor) Live(m *wire.Live) {
	own, ok := c.own[m.Ch]
	if !ok {
		own.p = c.logOf(m.Ch)
	}
	c.own[m.Ch] = position{p: own.p, seq: max(own.seq, m.Seq)}
	c.settle(m.Ch)
}

// Gap takes frames that are gone as received. It moves the channel, not its
// log: other channels may still have frames there. It reports whether it was
// new.
func (c *Cursor) Gap(m *wire.Gap) bool {
	if c.Covered(m.Ch, m.P) >= m.To {
		return false
	}
	c.own[m.Ch] = position{p: m.P, seq: m.To, late: c.own[m.Ch].late}
	c.settle(m.Ch)
	return true
}

// Moved takes "you have everything of yours up to here", which is true of all
// channels but the late ones.
func (c *Cursor) Moved(m *wire.CursorMoved) error {
	for key, seq := range m.At {
		p, err := strconv.ParseUint(key, 10, 16)
		if err != nil {
			return fmt.Errorf("%w: cursor: log %q is no number", errDefect, key)
		}
		c.advance(wire.LogID(p), seq)
	}
	c.v = max(c.v, m.V)
	return nil
}

// Snapshot is what a hello resumes from. It shares nothing with c.
func (c *Cursor) Snapshot() wire.Cursor {
	s := wire.Cursor{Epoch: c.epoch, At: make(wire.At, len(c.at)), V: c.v}
	for p, seq := range c.at {
		s.At[strconv.Itoa(int(p))] = seq
	}
	if len(c.own) > 0 {
		s.Behind = make(map[wire.Channel]wire.Seq, len(c.own))
		for ch, own := range c.own {
			s.Behind[ch] = own.seq
		}
	}
	return s
}

func (c *Cursor) advance(p wire.LogID, seq wire.Seq) {
	if seq <= c.at[p] {
		return
	}
	c.at[p] = seq
	if len(c.own) == 0 {
		return
	}
	maps.DeleteFunc(c.own, func(_ wire.Channel, own position) bool {
		return own.p == p && !own.late && seq >= own.seq
	})
}

// settle forgets a channel's own position once its log has passed it.
func (c *Cursor) settle(ch wire.Channel) {
	if own := c.own[ch]; !own.late && c.at[own.p] >= own.seq {
		delete(c.own, ch)
	}
}

func (c *Cursor) logOf(ch wire.Channel) wire.LogID { return wire.LogOf(ch, max(1, len(c.at))) }
