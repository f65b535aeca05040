package world

import (
	"context"
	"math/rand/v2"
	"time"

	"selvedge/wire"
)

// focusTime is the mean time for which a client looks at the same rooms.
const focusTime = 3 * time.Second

// focuser is a client whose focus changes. The rooms that it may have are those
// that it is always in.
type focuser struct {
	s *society
	c *Client
	r *rand.Rand

	shown map[wire.Channel]bool // nil = all
	lost  map[wire.Channel]int  // the session in which a room that is not shown lost the focus; 0 = not known
	// began is from where a room was shown last, if the edge said so: nothing may have
	// come of it since.
	began map[wire.Channel]wire.Seq
}

func (f *focuser) live(ctx context.Context) {
	f.lost, f.began = map[wire.Channel]int{}, map[wire.Channel]wire.Seq{}
	for pause(ctx, f.r, focusTime) {
		f.change(context.WithoutCancel(ctx))
	}
	f.s.focused(f)
}

// shows reports whether frames of a room are to come.
func (f *focuser) shows(ch wire.Channel) bool { return f.shown == nil || f.shown[ch] }

// rooms are those that the client is in.
func (f *focuser) rooms() (out []wire.Channel) {
	for i := range f.s.p.load.Rooms {
		if ch := f.s.p.channel(i); f.s.p.isIn(f.c, ch) {
			out = append(out, ch)
		}
	}
	return out
}

// regained is a room that gets the focus.
type regained struct {
	ch wire.Channel
	// from is the last place that was had, if everything behind it must come: the
	// focus was lost in this session.
	from wire.Seq
	sure bool
}

// change looks at other rooms. The ledger is told that a room is left and joined.
func (f *focuser) change(ctx context.Context) {
	var shown map[wire.Channel]bool
	var ids []wire.RoomID
	if f.r.IntN(4) > 0 {
		shown, ids = map[wire.Channel]bool{}, []wire.RoomID{}
		for _, ch := range f.rooms() {
			if f.r.IntN(2) == 0 {
				shown[ch] = true
				ids = append(ids, roomID(ch))
			}
		}
	}
	next := focuser{s: f.s, c: f.c, shown: shown}
	user, book := string(f.c.User), f.c.w.Book
	_, session := f.c.session()
	var gained []regained
	var lost []wire.Channel
	for _, ch := range f.rooms() {
		switch was, is := f.shows(ch), next.shows(ch); {
		case was && !is:
			book.Leaving(user, ch)
			lost = append(lost, ch)
		case !was && is:
			_, from, ok := f.c.Last(ch)
			book.Subscribing(user, ch) // before the first of its frames
			gained = append(gained, regained{ch, max(from, f.began[ch]), ok && f.lost[ch] == session})
		}
	}
	if err := f.c.Focus(ctx, ids); err != nil {
		f.s.broken("%s: the focus is refused: %v", f.c.User, err)
		return
	}
	late := f.c.lately()
	edge, now := f.c.session()
	same := edge != "" && now == session
	f.c.log.Debug("looks at", "rooms", ids, "gained", gained, "lost", lost, "late", late, "sessions", []int{session, now})
	for _, g := range gained {
		from, told := late[g.ch]
		switch {
		case same && g.sure:
			book.JoinedAt(user, g.ch, g.from)
		case told:
			f.began[g.ch] = from
			book.JoinedAt(user, g.ch, from)
		default: // another session, which began with this focus
			book.Joined(user, g.ch)
		}
	}
	for _, ch := range lost {
		if f.lost[ch] = 0; same {
			f.lost[ch] = now
		}
	}
	f.shown = shown
}
