package feed_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"selvedge/wire"
)

// Who names no user sees every document: an edge that knows itself who may see
// what.
func TestGetWithoutAnAsker(t *testing.T) {
	c := start(t, nil)
	c.user("stranger", `{"u":1}`)
	c.room("theirs", `{"r":2}`, "stranger")
	a := c.ask(&wire.Query{T: wire.QGet, Keys: []string{"room:none", "user:stranger", "user:", "room:theirs", "topic:x", "user:none"}})
	if len(a.Objects) != 2 || a.Objects["user:stranger"].Data.String() != `{"u":1}` || a.Objects["room:theirs"].Data.String() != `{"r":2}` || a.Objects["room:theirs"].V == 0 {
		t.Errorf("objects %v", a.Objects)
	}
	if !slices.Equal(a.Missing, []string{"room:none", "user:", "topic:x", "user:none"}) {
		t.Errorf("missing %q", a.Missing)
	}
}

func TestSharesOfAPage(t *testing.T) {
	c := start(t, nil)
	c.room("ours", `{}`, "me", "friend")
	c.room("all", `{}`, "me", "friend", "member", "other")
	c.room("theirs", `{}`, "stranger")
	a := c.ask(&wire.Query{T: wire.QShares, User: "me", Users: []wire.UserID{"stranger", "friend", "me", "member", "none"}})
	if !slices.Equal(a.Shared, []wire.RoomID{"", "all", "", "all", ""}) || a.V == 0 {
		t.Errorf("shared %q at %d", a.Shared, a.V)
	}
	a = c.ask(&wire.Query{T: wire.QShares, Room: "ours", Users: []wire.UserID{"stranger", "friend", "me", "member"}})
	if !slices.Equal(a.Shared, []wire.RoomID{"", "ours", "ours", ""}) || a.V == 0 {
		t.Errorf("in the room: %q at %d", a.Shared, a.V)
	}
	for name, q := range map[string]*wire.Query{
		"nobody's":   {T: wire.QShares, Users: []wire.UserID{"u"}},
		"of nobody":  {T: wire.QShares, User: "u"},
		"of no user": {T: wire.QShares, User: "u", Users: []wire.UserID{"a\x00b"}},
		"of many":    {T: wire.QShares, User: "u", Users: slices.Repeat([]wire.UserID{"u"}, wire.MaxPage+1)},
	} {
		if a := c.Query(t.Context(), "edge", q, 0); a.Err == nil || a.Err.Code != wire.BadRequest {
			t.Errorf("%s: %+v", name, a.Err)
		}
	}
}

func TestRosterOfARoom(t *testing.T) {
	c := start(t, nil)
	if a := c.Query(t.Context(), "edge", &wire.Query{T: wire.QRoster, Room: "r"}, 0); a.Err == nil || a.Err.Code != wire.NotFound {
		t.Errorf("of no room: %+v", a)
	}
	c.user("b", `{"name":"Bea"}`)
	c.user("c", `{"name":3}`)
	c.room("r", `{}`, "c", "a", "b")
	a := c.ask(&wire.Query{T: wire.QRoster, Room: "r", Limit: 2})
	rest := c.ask(&wire.Query{T: wire.QRoster, Room: "r", Limit: -1, AfterID: a.Next})
	names := append(a.Names, rest.Names...)
	for i, n := range names {
		if (n.V == 0) != (i == 0) {
			t.Errorf("document %d is at %d", i, n.V)
		}
		names[i].V = 0
	}
	if !slices.Equal(append(a.Members, rest.Members...), []wire.UserID{"a", "b", "c"}) || a.Next != "b" || rest.Next != "" || a.MemberCount != 3 ||
		!cmp.Equal(names, []wire.Name{{}, {Name: "Bea"}, {}}) {
		t.Errorf("%+v\n%+v", a, rest)
	}
}

// However long ids and names are, a page stays far below what a link carries.
func TestRosterPagesAreBounded(t *testing.T) {
	f, view, take := stateFeed(t, 10)
	name := object(t, fmt.Sprintf(`{"name":%q}`, strings.Repeat("n", 1000)))
	var records []wire.StateRecord
	for i := range 8000 {
		user := wire.UserID(fmt.Sprintf("%0128d", i))
		records = append(records,
			wire.StateRecord{V: wire.Seq(2*i + 1), Kind: wire.StateUser, User: user, Data: name},
			wire.StateRecord{V: wire.Seq(2*i + 2), Kind: wire.StateMember, Room: "r", User: user})
	}
	records = append(records, wire.StateRecord{V: 20_000, Kind: wire.StateRoom, Room: "r", Data: object(t, `{}`)})
	take(records)
	if view.Applied() != 20_000 {
		t.Fatal(view.Applied())
	}
	a := f.Query(t.Context(), "edge", &wire.Query{T: wire.QRoster, Room: "r", Limit: wire.MaxRoster}, 0)
	b, err := wire.Msgpack.Append(nil, a)
	if err != nil || a.Err != nil || len(b) > 5<<20/4 || len(a.Members) < 3000 || a.Next == "" || a.MemberCount != 8000 {
		t.Errorf("%d members in %d bytes, next %.5s, %v, %v", len(a.Members), len(b), a.Next, a.Err, err)
	}
}

// A room says when its last frame was, in a welcome and by itself.
func TestRoomsSayWhenTheyWereActive(t *testing.T) {
	c := start(t, nil)
	c.room("r", `{}`, "u")
	c.room("quiet", `{}`, "u")
	c.publish("room:r", 10, 1234)
	infos := c.ask(&wire.Query{T: wire.QRooms, User: "u"}).Rooms
	for _, d := range c.hellos(c.ask(&wire.Query{T: wire.QHello, Users: []wire.UserID{"u"}}))[0].Rooms {
		var info wire.RoomInfo
		if err := wire.Msgpack.Decode(d, &info); err != nil {
			t.Fatal(err)
		}
		infos = append(infos, info)
	}
	if len(infos) != 4 {
		t.Fatalf("%d rooms", len(infos))
	}
	for _, info := range infos {
		if want := map[wire.RoomID]int64{"r": 1234}[info.ID]; info.TS != want {
			t.Errorf("%s: ts %d, want %d", info.ID, info.TS, want)
		}
	}
}
