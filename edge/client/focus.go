package client

import (
	"maps"
	"slices"

	"selvedge/wire"
)

// Focus takes which rooms the session gets frames of, and which of them are late,
// and from where: what the edge says in its reply, or nothing for what hello says.
// nil rooms are all of them, which is what the zero value has.
//
// A room that loses the focus gives no live any more: it waits for none. Frames of
// it that are withheld count as had, as far as its log is.
func (c *Cursor) Focus(rooms []wire.RoomID, late map[wire.Channel]wire.Seq) {
	c.shown = nil
	if rooms != nil {
		c.shown = make(map[wire.RoomID]struct{}, len(rooms))
		for _, id := range rooms {
			c.shown[id] = struct{}{}
		}
	}
	for ch, own := range c.own {
		if c.hides(ch) {
			own.late = false
			c.own[ch] = own
			c.settle(ch)
		}
	}
	for ch, from := range late {
		c.begin(ch, c.logOf(ch), from)
	}
}

// Focused are the rooms that have the focus, sorted; nil = all.
func (c *Cursor) Focused() []wire.RoomID {
	if c.shown == nil {
		return nil
	}
	ids := slices.AppendSeq(make([]wire.RoomID, 0, len(c.shown)), maps.Keys(c.shown))
	slices.Sort(ids)
	return ids
}

// hides reports whether ch is a room out of focus. Topics and the inbox are none.
func (c *Cursor) hides(ch wire.Channel) bool {
	if c.shown == nil {
		return false
	}
	id, room := ch.Room()
	_, shown := c.shown[id]
	return room && !shown
}
