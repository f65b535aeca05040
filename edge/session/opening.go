package session

import (
	"sync"

	"selvedge/edge/fanout"
	"selvedge/edge/websocket"
	"selvedge/wire"
)

// opening is the start of a session as it is put together. In a storm of hellos
// it is the largest piece of memory that each of them needs, and it is needed for
// some milliseconds only: so the next one uses it again, once its shard has
// written the welcome.
type opening struct {
	st      fanout.Start
	resume  *resume // nil = afresh
	welcome wire.WelcomeParts
	hello   *wire.Hello
	read    wire.Seq // state position of the core's answer
	seen    wire.Seq // memberships up to it are known to the client
	fetched map[wire.RoomID]wire.RoomInfo
	focus   []wire.RoomID
	focused bool

	// Memory that st and welcome lie in.
	positions []wire.Seq
	text      []byte // the welcome in msgpack, behind headerRoom
}

// headerRoom is the room for a frame's header in front of what it frames.
var headerRoom [websocket.MaxHeader]byte

// maxText is the largest text that an opening keeps, in bytes.
const maxText = 16 << 10

// openings are those that are not in use.
var openings sync.Pool

func newOpening() *opening {
	o, ok := openings.Get().(*opening)
	if !ok {
		o = new(opening)
		o.st.Done = o.reuse
	}
	return o
}

// reuse lets go of everything but memory, and gives o back.
func (o *opening) reuse() {
	clear(o.st.Joined)
	*o = opening{
		st:        fanout.Start{Joined: o.st.Joined[:0], Done: o.st.Done},
		positions: o.positions, text: o.text,
	}
	if cap(o.text) > maxText {
		o.text = nil
	}
	openings.Put(o)
}

// room is what is known of a room already.
func (o *opening) room(id wire.RoomID) (info wire.RoomInfo, ok bool) {
	if info, ok = o.fetched[id]; ok {
		return info, true
	}
	for _, b := range o.hello.Rooms {
		if got, err := wire.RoomInfoID(b); err == nil && got == id {
			return info, wire.Msgpack.Decode(b, &info) == nil
		}
	}
	return info, false
}
