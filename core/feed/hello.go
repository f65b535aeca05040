package feed

import (
	"cmp"
	"fmt"
	"slices"

	"selvedge/core/directory"
	"selvedge/core/feed/chain"
	"selvedge/wire"
)

const (
	// welcomeRooms is how many rooms a welcome describes.
	welcomeRooms = 100
	// helloBytes is about what the hellos of one answer take; of more, the asker
	// asks again. A single one may take more.
	helloBytes = 1 << 20
	// aheadBytes bounds the descriptions of rooms that are read before it is
	// known whether they are told.
	aheadBytes = 2 * helloBytes
	// textBytes is how much room is made for descriptions at once.
	textBytes = 64 << 10
	// membershipBytes is about what a membership takes in an answer.
	membershipBytes = 12
)

// hello is all that an edge needs for the sessions of some users. After an edge
// died its users come all at once, and they are in the same rooms: each room is
// read and encoded once for all who are asked for here.
func (f *Feed) hello(r *directory.Reader, q *wire.Query, a *wire.Answer) error {
	if len(q.Users) == 0 || len(q.Users) > wire.MaxHellos {
		return fmt.Errorf("%w: hello of %d users, 1 to %d are allowed", errBad, len(q.Users), wire.MaxHellos)
	}
	for _, id := range q.Users {
		if err := wire.CheckID(string(id)); err != nil {
			return err
		}
	}
	return r.Walk(func(w *directory.Walker) error {
		g := greeting{feed: f, from: w, numbers: map[wire.RoomID]int{}}
		if err := g.readUsers(q.Users); err != nil {
			return err
		}
		if err := g.readRooms(); err != nil {
			return err
		}
		hellos, err := g.tell()
		if err != nil {
			return err
		}
		a.Hellos, err = wire.AppendHellos(nil, hellos)
		return err
	})
}

// greeting is an answer to hello on its way.
type greeting struct {
	feed *Feed
	from *directory.Walker

	numbers map[wire.RoomID]int // by id, into rooms
	rooms   []greetedRoom
	users   []greetedUser
	text    []byte // what infos are cut of

	// Scratch.
	order       []int
	memberships []wire.Membership
}

// greetedRoom is a room that one of the users is in.
type greetedRoom struct {
	id     wire.RoomID
	p      wire.LogID
	last   chain.Last
	wanted bool      // among the most recently active of a user
	info   wire.Data // nil = not read yet
	told   bool      // counted in the answer's size
}

type greetedUser struct {
	wire.Hello       // but for Rooms
	recent     []int // the first rooms, the most recently active first
}

// readUsers reads users and their memberships, as many as an answer holds.
func (g *greeting) readUsers(ids []wire.UserID) error {
	size := 0
	for _, id := range ids {
		if size > helloBytes {
			break
		}
		u, err := g.readUser(id)
		if err != nil {
			return err
		}
		g.users = append(g.users, u)
		size += u.size()
	}
	return nil
}

func (g *greeting) readUser(id wire.UserID) (u greetedUser, err error) {
	all, memberships := g.order[:0], g.memberships[:0]
	err = g.from.RoomsOf(id, func(room []byte, m wire.Membership) {
		n, ok := g.numbers[wire.RoomID(room)]
		if !ok {
			n = g.meet(room)
		}
		m.Room = g.rooms[n].id
		memberships = append(memberships, m)
		all = append(all, n)
	})
	if err != nil {
		return u, err
	}
	g.memberships, u.Memberships = memberships, slices.Clone(memberships)
	// Those of the same millisecond are in order of their ids, which edges count on.
	slices.SortFunc(all, func(x, y int) int {
		a, b := &g.rooms[x], &g.rooms[y]
		return cmp.Or(cmp.Compare(b.last.TS, a.last.TS), cmp.Compare(a.id, b.id))
	})
	g.order = all
	u.recent = slices.Clone(all[:min(len(all), welcomeRooms)])
	u.More = len(all) > welcomeRooms
	for _, n := range u.recent {
		g.rooms[n].wanted = true
	}
	doc, _, err := g.from.User(id)
	if err != nil {
		return u, err
	}
	u.User = wire.AppendUserInfo(nil, &wire.UserInfo{ID: id, V: doc.V, Data: object(doc.Data)})
	u.RoomsV, err = g.from.RoomsV(id)
	return u, err
}

// size is about what the user takes in the answer beside the rooms.
func (u *greetedUser) size() int { return len(u.User) + membershipBytes*len(u.Memberships) }

// meet numbers a room that was not met before.
func (g *greeting) meet(room []byte) int {
	n := len(g.rooms)
	ch := wire.Channel(wire.RoomPrefix + string(room))
	id, _ := ch.Room()
	p, last := g.feed.activity(ch)
	g.rooms = append(g.rooms, greetedRoom{id: id, p: p, last: last})
	g.numbers[id] = n
	return n
}

// readRooms describes the wanted rooms, in order of their ids, which is the
// quickest: as many as aheadBytes hold.
func (g *greeting) readRooms() error {
	wanted := g.order[:0]
	for n := range g.rooms {
		if g.rooms[n].wanted {
			wanted = append(wanted, n)
		}
	}
	slices.SortFunc(wanted, func(x, y int) int { return cmp.Compare(g.rooms[x].id, g.rooms[y].id) })
	counts := make([]int, len(wanted))
	g.text = make([]byte, 0, min(textBytes, 2*roomOverhead*len(wanted)))
	var err error
	for i, n := range wanted {
		if counts[i], err = g.from.MemberCount(g.rooms[n].id); err != nil {
			return err
		}
	}
	size := 0
	for i, n := range wanted {
		if size > aheadBytes {
			break
		}
		if err := g.describe(&g.rooms[n], counts[i]); err != nil {
			return err
		}
		size += len(g.rooms[n].info)
	}
	g.order = wanted
	return nil
}

// describe encodes a room as its members are told of it.
func (g *greeting) describe(r *greetedRoom, members int) error {
	doc, _, err := g.from.Room(r.id)
	if err != nil {
		return err
	}
	if need := len(r.id) + len(doc.Data) + roomOverhead; cap(g.text)-len(g.text) < need {
		g.text = make([]byte, 0, max(textBytes, need))
	}
	at := len(g.text)
	g.text = wire.AppendRoomInfo(g.text, &wire.RoomInfo{
		ID: r.id, P: r.p, Seq: r.last.Seq, TS: r.last.TS, MemberCount: members, V: doc.V, Data: object(doc.Data),
	})
	r.info = g.text[at:len(g.text):len(g.text)]
	return nil
}

// tell is the answer: the first users that fit, at least one.
func (g *greeting) tell() ([]wire.Hello, error) {
	hellos := make([]wire.Hello, 0, len(g.users))
	size := 0
	for i := range g.users {
		u := &g.users[i]
		grown, err := g.tellUser(u)
		if err != nil {
			return nil, err
		}
		if size += grown; size > helloBytes && i > 0 {
			break
		}
		hellos = append(hellos, u.Hello)
	}
	return hellos, nil
}

// tellUser gives a user as many of its rooms as one welcome holds, and returns
// about what that adds to the answer, in bytes.
func (g *greeting) tellUser(u *greetedUser) (grown int, err error) {
	grown = u.size()
	u.Rooms = make([]wire.Data, 0, len(u.recent))
	size := len(u.User)
	for i, n := range u.recent {
		r := &g.rooms[n]
		if r.info == nil {
			count, err := g.from.MemberCount(r.id)
			if err != nil {
				return 0, err
			}
			if err := g.describe(r, count); err != nil {
				return 0, err
			}
		}
		if !r.told {
			r.told = true
			grown += len(r.info)
		}
		u.Rooms = append(u.Rooms, r.info)
		if size += len(r.info) + roomOverhead; size > replyBytes {
			u.More = u.More || i < len(u.recent)-1
			break
		}
	}
	return grown, nil
}

// object is a document's data; who is known by token only, and a room that was
// deleted a moment ago, have {}.
func object(data wire.Data) wire.Data {
	if data == nil {
		return wire.Data{0x80}
	}
	return data
}
