package client

import (
	"slices"

	"pgregory.net/rapid"

	"selvedge/wire"
)

// modelFocus is what a model session knows of rooms that are not on screen.
type modelFocus struct {
	show []wire.RoomID // nil = all
	base [modelLogs]wire.Seq
	left map[wire.Channel]wire.Seq // where a room was left, if not at base
}

// modelFocused is the reply to focus, and which one.
type modelFocused struct {
	rooms []wire.RoomID
	late  map[wire.Channel]wire.Seq
}

var pickFocus = rapid.Custom(func(t *rapid.T) []wire.RoomID {
	if rapid.Bool().Draw(t, "all") {
		return nil
	}
	return append([]wire.RoomID{}, rapid.SliceOfNDistinct(rapid.SampledFrom([]wire.RoomID{"a", "b", "c", "d", "e"}), 0, 3, rapid.ID).Draw(t, "rooms")...)
})

func (f *modelFocus) shows(ch wire.Channel) bool {
	id, _ := ch.Room()
	return f.show == nil || slices.Contains(f.show, id)
}

// refocus is the server's side of focus. A room that gains it without a frame
// since it was left may be spared the round of a late channel.
func (s *modelSession) refocus(rooms []wire.RoomID, spare bool) {
	was := s.focus.show
	s.focus.show = rooms
	late := map[wire.Channel]wire.Seq{}
	for ch := range s.members {
		p := wire.LogOf(ch, modelLogs)
		before := modelFocus{show: was}
		switch now := s.focus.shows(ch); {
		case before.shows(ch) == now:
		case now:
			at, own := s.focus.left[ch]
			if !own {
				at = s.focus.base[p]
			}
			delete(s.focus.left, ch)
			if spare && rooms == nil && !s.w.anyOf(ch, at, s.pos[p]) {
				s.skip[ch] = at
				continue
			}
			late[ch], s.late[ch] = at, at
		default:
			at, isLate := s.late[ch]
			if !isLate {
				at = max(s.pos[p], s.skip[ch])
			}
			s.focus.left[ch] = at
			delete(s.late, ch)
			delete(s.skip, ch)
		}
	}
	s.send(&modelFocused{rooms, late})
}

// anyOf reports whether ch has a frame after one position, up to another.
func (w *world) anyOf(ch wire.Channel, after, upto wire.Seq) bool {
	p := wire.LogOf(ch, modelLogs)
	for seq := after + 1; seq <= upto; seq++ {
		if w.logs[p][seq-1].ch == ch {
			return true
		}
	}
	return false
}

// waive notes, at a cut, up to where frames of rooms that are out of focus count
// as had.
func (r *reader) waive(channels []wire.Channel, c *wire.Cursor) {
	for _, ch := range channels {
		p := wire.LogOf(ch, modelLogs)
		if _, own := c.Behind[ch]; !own && r.hides(ch) {
			r.waived[ch] = max(r.waived[ch], c.At[p.String()])
		}
	}
}
