package wire

import (
	"fmt"
	"slices"
)

// MaxHellos is the largest number of users that one QHello asks for.
const MaxHellos = 64

// Hello is all that an edge needs to begin a user's sessions.
type Hello struct {
	User  Data   // the user's UserInfo, as clients get it
	Rooms []Data // the first 100 rooms, most recently active first: a RoomInfo each, as clients get it
	More  bool   // there are more rooms
	// RoomsV is the position of the user's last join or leave.
	RoomsV      Seq
	Memberships []Membership // all, in order of the rooms' ids
}

// The form of hellos is one msgpack array of four flat ones. A room is told
// once, however many of the users are in it; others name it by its number in
// the first array.
//
//	rooms        id, RoomInfo or nil, …
//	memberships  number of the room, from, v, …       the first user's, then the second's, …
//	shown        number of the room, …                likewise
//	users        UserInfo, rooms_v, more, how many memberships, how many shown, …
const (
	helloArrays      = 4
	roomValues       = 2
	membershipValues = 3
	shownValues      = 1
	userValues       = 5
)

// AppendHellos appends the form of hellos that ParseHellos reads. Every user
// must be there, and rooms be RoomInfos as AppendRoomInfo makes them: it fails on
// one that does not begin with its id.
func AppendHellos(dst []byte, hellos []Hello) (Data, error) {
	var memberships, shown, size int
	for i := range hellos {
		memberships += len(hellos[i].Memberships)
		shown += len(hellos[i].Rooms)
		size += len(hellos[i].User)
	}
	size += 12*memberships + 3*shown + 16*len(hellos) // about
	w := helloWriter{numbers: make(map[RoomID]int, memberships), b: make([]byte, 0, size)}
	w.b = appendHead(w.b, 0x90, 0xdc, memberships*membershipValues)
	for i := range hellos {
		w.memberships(hellos[i].Memberships)
	}
	w.b = appendHead(w.b, 0x90, 0xdc, shown*shownValues)
	for i := range hellos {
		if err := w.shown(hellos[i].Rooms); err != nil {
			return nil, err
		}
	}
	w.b = appendHead(w.b, 0x90, 0xdc, len(hellos)*userValues)
	for i := range hellos {
		w.user(&hellos[i])
	}
	size = len(w.b)
	for _, r := range w.rooms {
		size += len(r.id) + len(r.info) + 8
	}
	dst = append(slices.Grow(dst, size), 0x90|helloArrays)
	dst = appendHead(dst, 0x90, 0xdc, len(w.rooms)*roomValues)
	for _, r := range w.rooms {
		dst = appendData(appendString(dst, string(r.id)), r.info)
	}
	return append(dst, w.b...), nil
}

// helloWriter numbers the rooms as they are met. The arrays in b come after them.
type helloWriter struct {
	numbers map[RoomID]int
	rooms   []helloRoom
	b       []byte
}

type helloRoom struct {
	id   RoomID
	info Data
}

func (w *helloWriter) number(id RoomID) int {
	n, ok := w.numbers[id]
	if !ok {
		n = len(w.rooms)
		w.numbers[id], w.rooms = n, append(w.rooms, helloRoom{id: id})
	}
	return n
}

func (w *helloWriter) memberships(memberships []Membership) {
	for _, m := range memberships {
		w.b = appendUint(w.b, uint64(w.number(m.Room)))
		w.b = appendUint(appendUint(w.b, uint64(m.From)), uint64(m.V))
	}
}

func (w *helloWriter) shown(rooms []Data) error {
	for _, info := range rooms {
		id, err := roomInfoID(info)
		if err != nil {
			return fmt.Errorf("a room of a hello: %w", err)
		}
		n, ok := w.numbers[RoomID(id)] // doesn't allocate, as number would
		if !ok {
			n = w.number(RoomID(id))
		}
		w.rooms[n].info = info
		w.b = appendUint(w.b, uint64(n))
	}
	return nil
}

func (w *helloWriter) user(h *Hello) {
	w.b = appendUint(appendData(w.b, h.User), uint64(h.RoomsV))
	w.b = appendBool(w.b, h.More)
	w.b = appendUint(appendUint(w.b, uint64(len(h.Memberships))), uint64(len(h.Rooms)))
}
