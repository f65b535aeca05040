package feed_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"selvedge/core/directory"
	"selvedge/wire"
)

// hellos are those of an answer.
func (c *core) hellos(a *wire.Answer) []wire.Hello {
	c.t.Helper()
	hellos, err := wire.ParseHellos(a.Hellos)
	if err != nil {
		c.t.Fatal(err)
	}
	return hellos
}

// hello asks for users, who must all be answered.
func (c *core) hello(users ...wire.UserID) []wire.Hello {
	c.t.Helper()
	hellos := c.hellos(c.ask(&wire.Query{T: wire.QHello, Users: users}))
	if len(hellos) != len(users) {
		c.t.Fatalf("%d hellos for %d users", len(hellos), len(users))
	}
	return hellos
}

func userOf(t *testing.T, h *wire.Hello) (u wire.UserInfo) {
	t.Helper()
	if err := wire.Msgpack.DecodeStrict(h.User, &u); err != nil {
		t.Fatal(err)
	}
	return u
}

func roomsOf(t *testing.T, h *wire.Hello) []wire.RoomInfo {
	t.Helper()
	out := make([]wire.RoomInfo, len(h.Rooms))
	for i, info := range h.Rooms {
		if err := wire.Msgpack.DecodeStrict(info, &out[i]); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func TestHelloDescribesTheMostRecentRooms(t *testing.T) {
	c := start(t, nil)
	c.user("u1", `{"name":"One"}`)
	c.room("r0", `{"name":"Zero"}`, "u1", "u2")
	ids := []wire.RoomID{"r0"}
	for i := range 101 {
		ids = append(ids, wire.RoomID(fmt.Sprintf("x%03d", i)))
		c.room(ids[i+1], `{}`)
	}
	if _, err := c.writer.UserRooms(t.Context(), "u1", directory.RoomsChange{Add: ids}); err != nil {
		t.Fatal(err)
	}
	_, seq := c.publish("room:r0", 10, 5000)
	c.publish("room:x050", 10, 7000)
	c.publish("room:x020", 10, 6000)
	a := c.ask(&wire.Query{T: wire.QHello, Users: []wire.UserID{"u1"}})
	h := c.hellos(a)[0]
	user, rooms := userOf(t, &h), roomsOf(t, &h)
	if user.ID != "u1" || user.V == 0 || user.Data.String() != `{"name":"One"}` || a.V != c.view.Applied() || a.Epoch != c.log.Epoch() {
		t.Errorf("hello: user %+v at %d of %d", user, a.V, c.view.Applied())
	}
	var first, members []wire.RoomID
	for _, r := range rooms[:3] {
		first = append(first, r.ID)
	}
	for _, m := range h.Memberships {
		members = append(members, m.Room)
	}
	if !slices.Equal(members, ids) || len(rooms) != 100 || !h.More || !slices.Equal(first, []wire.RoomID{"x050", "x020", "r0"}) {
		t.Errorf("memberships %v, %d rooms, more %v, first %v", members, len(rooms), h.More, first)
	}
	if h.RoomsV != slices.MaxFunc(h.Memberships, func(x, y wire.Membership) int { return int(x.V) - int(y.V) }).V {
		t.Errorf("the rooms are of %d, the memberships %+v", h.RoomsV, h.Memberships)
	}
	if r := rooms[2]; r.Seq != seq || r.MemberCount != 2 || r.P != wire.LogOf("room:r0", 2) || r.V == 0 || r.Data.String() != `{"name":"Zero"}` {
		t.Errorf("room r0 is told as %+v", r)
	}
}

// Each user of a batch is told what it would be told alone, in the order asked.
func TestHelloOfManyIsThatOfEach(t *testing.T) {
	c := start(t, nil)
	for i := range 12 {
		var members []wire.UserID
		for j := range 7 {
			if i%(j+1) == 0 {
				members = append(members, wire.UserID(fmt.Sprint("u", j)))
			}
		}
		c.room(wire.RoomID(fmt.Sprint("r", i)), fmt.Sprintf(`{"n":%d}`, i), members...)
		c.publish(wire.RoomChannel(wire.RoomID(fmt.Sprint("r", i))), 10, int64(i*5%12))
	}
	c.user("u3", `{"name":"Three"}`)
	users := []wire.UserID{"u5", "nobody", "u0", "u3", "u6", "u3", "u1"}
	var want []wire.Hello
	for _, u := range users {
		want = append(want, c.hello(u)...)
	}
	got := c.hello(users...)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-alone +together):\n%s", diff)
	}
	for i := range got {
		if id := userOf(t, &got[i]).ID; id != users[i] {
			t.Errorf("hello %d is of %s, want %s", i, id, users[i])
		}
	}
	if len(got[2].Rooms) != 12 || len(got[1].Rooms)+len(got[1].Memberships) > 0 || got[1].RoomsV != 0 {
		t.Errorf("%d rooms of u0; nobody is %+v", len(got[2].Rooms), got[1])
	}
	if user := userOf(t, &got[1]); user.V != 0 || user.Data.String() != "{}" {
		t.Errorf("a user who is known by token only is %+v", user)
	}
}

// Large documents make a welcome shorter, not impossible.
func TestHelloStaysBelowAReplysSize(t *testing.T) {
	c := start(t, nil)
	large := fmt.Sprintf(`{"d":%q}`, strings.Repeat("x", 300_000))
	for i := range 5 {
		c.room(wire.RoomID(fmt.Sprint(i)), large, "u1")
	}
	if h := c.hello("u1")[0]; len(h.Rooms) != 2 || !h.More || len(h.Memberships) != 5 {
		t.Errorf("%d rooms of 300 kB, more %v", len(h.Rooms), h.More)
	}
	var ids []wire.RoomID
	for q := (wire.Query{T: wire.QRooms, User: "u1"}); ; {
		page := c.ask(&q)
		for _, r := range page.Rooms {
			ids = append(ids, r.ID)
		}
		if len(page.Rooms) > 2 {
			t.Errorf("a page of %d rooms", len(page.Rooms))
		}
		if q.AfterID = page.Next; q.AfterID == "" {
			break
		}
	}
	if want := []wire.RoomID{"0", "1", "2", "3", "4"}; !slices.Equal(ids, want) {
		t.Errorf("pages of rooms: %v, want %v", ids, want)
	}
}

// What does not fit into one answer comes with the next: all of it, in order.
func TestHelloIsShorterThanAskedWhenLarge(t *testing.T) {
	c := start(t, nil)
	large := func(n int) string { return fmt.Sprintf(`{"d":%q}`, strings.Repeat("x", n)) }
	var users []wire.UserID
	for i := range 8 {
		u := wire.UserID(fmt.Sprint("u", i))
		users = append(users, u)
		switch i {
		case 0, 7: // more than one answer may have, even alone
			c.user(u, large(900_000))
			c.room(wire.RoomID(fmt.Sprint("_", i)), large(400_000), u)
		case 2, 3:
			c.user(u, large(400_000))
		case 4, 5, 6: // their first rooms are the last ones in order of ids
			for _, id := range []string{"a", "b", "c"} {
				c.room(wire.RoomID(fmt.Sprint(id, i)), large(400_000), u)
			}
			c.publish(wire.Channel(fmt.Sprint("room:c", i)), 10, 5)
		}
	}
	c.room("all", `{}`, users...)
	var want, got []wire.Hello
	for _, u := range users {
		want = append(want, c.hello(u)...)
	}
	answers := 0
	for rest := users; len(rest) > 0; answers++ {
		a := c.ask(&wire.Query{T: wire.QHello, Users: rest})
		hellos := c.hellos(a)
		if len(hellos) == 0 {
			t.Fatal("an answer without anyone")
		}
		if len(a.Hellos) > 1<<20 && len(hellos) > 1 {
			t.Errorf("an answer of %d bytes", len(a.Hellos))
		}
		got, rest = append(got, hellos...), rest[len(hellos):]
	}
	whole := cmp.Comparer(func(x, y wire.Data) bool { return bytes.Equal(x, y) }) // not byte by byte
	if diff := cmp.Diff(want, got, whole); diff != "" {
		t.Errorf("(-alone +in parts):\n%s", diff)
	}
	if answers > 6 { // u0, u1-u3, u4, u5, u6, u7
		t.Errorf("%d answers", answers)
	}
}

// A large room that many are in is large once.
func TestHelloTellsASharedRoomOnce(t *testing.T) {
	c := start(t, nil)
	var users []wire.UserID
	for i := range wire.MaxHellos {
		users = append(users, wire.UserID(fmt.Sprint("u", i)))
	}
	c.room("r", fmt.Sprintf(`{"d":%q}`, strings.Repeat("x", 300_000)), users...)
	c.hello(users...)
}

// A hello shows one moment, though others join and leave meanwhile: everyone in
// a room is counted, and everyone who is counted is in it.
func TestHelloIsOfOneMoment(t *testing.T) {
	c := start(t, nil)
	users := []wire.UserID{"u0", "u1", "u2", "u3"}
	c.room("r", `{}`)
	ctx, cancel := context.WithCancel(t.Context())
	var changes atomic.Int64
	done := make(chan error, 1)
	go func() {
		for i := 0; ctx.Err() == nil; i++ {
			change := directory.MembersChange{Add: users}
			if i%2 == 1 {
				change = directory.MembersChange{Remove: users[:i%3+1]}
			}
			if _, err := c.writer.Members(t.Context(), "r", change); err != nil {
				done <- err
				return
			}
			changes.Add(1)
		}
		done <- nil
	}()
	for seen := 0; seen < 50 || changes.Load() < 20; seen++ {
		a := c.ask(&wire.Query{T: wire.QHello, Users: users})
		members, count := 0, 0
		for _, h := range c.hellos(a) {
			for _, m := range h.Memberships {
				members++
				count = roomsOf(t, &h)[0].MemberCount
				if m.V > a.V || h.RoomsV > a.V {
					t.Fatalf("a membership of %d in an answer of %d", m.V, a.V)
				}
			}
		}
		if members != count {
			t.Fatalf("%d of the users are in a room of %d members", members, count)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Rooms that were active in the same millisecond are in order of their ids, whoever
// else is asked for: an edge that has all of it would say the same.
func TestHelloOfRoomsThatWereActiveAtOnce(t *testing.T) {
	c := start(t, nil)
	c.user("u1", `{}`)
	c.user("u2", `{}`)
	var all []wire.RoomID
	for i := range 60 {
		id := wire.RoomID(fmt.Sprintf("x%02d", i))
		all = append(all, id)
		c.room(id, `{}`, "u2")
	}
	some := []wire.RoomID{"x50", "x40", "x10"}
	if _, err := c.writer.UserRooms(t.Context(), "u1", directory.RoomsChange{Add: some}); err != nil {
		t.Fatal(err)
	}
	for _, id := range slices.Backward(all) {
		c.publish(wire.RoomChannel(id), 10, 5000)
	}
	for _, h := range c.hello("u1", "u2") {
		var ids []wire.RoomID
		for _, r := range roomsOf(t, &h) {
			ids = append(ids, r.ID)
		}
		if len(ids) != len(h.Memberships) || !slices.IsSorted(ids) {
			t.Errorf("rooms %v", ids)
		}
	}
}
