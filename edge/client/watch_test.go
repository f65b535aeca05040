package client

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"selvedge/wire"
)

// objectLog is what Events.Object told, in words.
type objectLog struct {
	client *Client // set before the welcome
	lines  []string
}

func (l *objectLog) event(m *wire.ObjectMoved) {
	text := "gone"
	if m.Data.IsSet() {
		text = m.Data.String()
	}
	if _, known := l.client.Object(m.Key); known != m.Data.IsSet() {
		text += ", and not in the store"
	}
	l.lines = append(l.lines, fmt.Sprintf("%s %d %s", m.Key, m.V, text))
}

func (l *objectLog) expect(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	if diff := cmp.Diff(want, l.lines); diff != "" {
		t.Errorf("objects told (-want +got):\n%s", diff)
	}
	l.lines = nil
}

func line(key string, v wire.Seq, name string) string {
	return fmt.Sprintf("%s %d %s", key, v, doc(v, name).Data)
}

// connected is a client whose edge has welcomed it.
func connected(t *testing.T, n *network, cfg Config) (*fakeEdge, *harness, *fakeConn, *objectLog) {
	t.Helper()
	e := n.edge(t, "one")
	l := new(objectLog)
	cfg.Edges, cfg.Events.Object = []string{e.url()}, l.event
	h := run(t, n, cfg)
	l.client = h.Client
	c := <-e.conns
	c.welcome(t, 10)
	synctest.Wait()
	return e, h, c, l
}

func objectsReply(id uint64, objects map[string]wire.Object, missing ...string) *wire.Objects {
	return &wire.Objects{T: wire.TReply, ID: id, Objects: objects, Missing: missing}
}

func TestObjectsComeFromAllThatTellsOfThem(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		e := n.edge(t, "one")
		l := new(objectLog)
		var h *harness
		named := false
		h = run(t, n, Config{Edges: []string{e.url()}, Events: Events{
			Object:  l.event,
			Welcome: func(*wire.Welcome) { _, named = h.Object("room:a") },
		}})
		l.client = h.Client
		c := <-e.conns
		c.expect(t, wire.THello)
		room := func(id wire.RoomID, v wire.Seq) wire.RoomInfo {
			return wire.RoomInfo{ID: id, V: v, Data: text(string(id))}
		}
		c.send(t, &wire.Welcome{
			T: wire.TWelcome, User: wire.UserInfo{ID: "u1", V: 3, Data: text("me")}, Ping: 25,
			Rooms: []wire.RoomInfo{room("a", 4)}, Cursor: wire.Cursor{Epoch: "e", At: wire.At{"0": 10}, V: 1},
		})
		c.send(t, &wire.Joined{T: wire.TJoined, Ch: chB, From: 10, V: 2, Room: room("b", 5)})
		c.send(t, &wire.ObjectMoved{T: wire.TObject, Key: "user:u2", V: 6, Data: text("two")})
		c.message(t, chA, 11, 10)
		c.send(t, &wire.ObjectMoved{T: wire.TObject, Key: "user:u2", V: 6, Data: text("two")}) // once more
		l.expect(t, line("room:a", 4, "a"), line("user:u1", 3, "me"), line("room:b", 5, "b"), line("user:u2", 6, "two"))
		if !named {
			t.Error("welcome was told before its rooms were known")
		}

		done := make(chan error, 1)
		go func() { _, err := h.Search(t.Context(), "a", "thr", 5); done <- err }()
		m := c.expect(t, wire.TSearch)
		if m.Room != "a" || m.Prefix != "thr" || m.Limit != 5 {
			t.Errorf("search %+v", m)
		}
		c.send(t, &wire.Users{T: wire.TReply, ID: m.ID, Users: []wire.UserInfo{{ID: "u3", V: 7, Data: text("three")}}})
		if err := <-done; err != nil {
			t.Error(err)
		}
		go func() { _, err := h.Rooms(t.Context(), Page{}); done <- err }()
		c.send(t, &wire.Rooms{T: wire.TReply, ID: c.expect(t, wire.TRooms).ID, Rooms: []wire.RoomInfo{room("a", 9), room("b", 1)}})
		if err := <-done; err != nil {
			t.Error(err)
		}
		c.send(t, &wire.ObjectMoved{T: wire.TObject, Key: "user:u3", V: 10, Data: nil})
		l.expect(t, line("user:u3", 7, "three"), line("room:a", 9, "a"), "user:u3 10 gone")
		if _, known := h.Object("user:nobody"); known {
			t.Error("nobody is known")
		}
		h.finish(t, c)
	})
}

// A get goes on where a reply had no more room, and asks for no more than an edge
// takes at a time.
func TestGetGoesOn(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		_, h, c, _ := connected(t, n, Config{})
		var keys []string
		for i := range 1500 {
			keys = append(keys, fmt.Sprintf("user:%04d%s", i, strings.Repeat("x", 100)))
		}
		type answer struct {
			r   wire.Objects
			err error
		}
		done := make(chan answer, 1)
		go func() { r, err := h.Get(t.Context(), keys...); done <- answer{r, err} }()
		var asked []string
		for len(asked) < len(keys) {
			m := c.expect(t, wire.TGet)
			r := objectsReply(m.ID, map[string]wire.Object{}, m.Objects[0])
			take := m.Objects
			if len(take) > 300 {
				r.Next, take = take[300], take[:300]
			}
			for _, key := range take[1:] {
				r.Objects[key] = doc(1, "x")
			}
			asked = append(asked, take...)
			r.Stale = len(asked) == 300
			c.send(t, r)
		}
		got := <-done
		if got.err != nil || len(got.r.Objects)+len(got.r.Missing) != len(keys) || !got.r.Stale || !slices.Equal(asked, keys) {
			t.Errorf("%d objects, %d missing, stale %v, %v", len(got.r.Objects), len(got.r.Missing), got.r.Stale, got.err)
		}
		go func() { r, err := h.Get(t.Context(), "user:1"); done <- answer{r, err} }()
		m := c.expect(t, wire.TGet)
		r := objectsReply(m.ID, nil)
		r.Next = "user:1" // nonsense: it would never end
		c.send(t, r)
		if got := <-done; got.err != nil {
			t.Error(got.err)
		}
		h.finish(t, c)
	})
}

// What is watched is asked for again by each connection, in one get; what changed
// meanwhile is told. What no edge has agreed to yet is the request's own matter.
func TestWatchedAgainAfterACut(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		e, h, c, l := connected(t, n, Config{Objects: 1})
		done := make(chan error, 1)
		watch := func(keys ...string) {
			go func() { _, err := h.Watch(t.Context(), keys...); done <- err }()
		}
		watch("user:1", "user:2", "user:3")
		m := c.expect(t, wire.TGet)
		if !m.Watch {
			t.Errorf("get %+v", m)
		}
		c.send(t, objectsReply(m.ID, map[string]wire.Object{"user:1": doc(3, "one"), "user:2": doc(4, "two")}, "user:3"))
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		watch("room:forbidden")
		c.send(t, &wire.Error{T: wire.TError, ID: c.expect(t, wire.TGet).ID, Code: wire.RateLimited})
		if err := <-done; err == nil {
			t.Error("a refused watch is watched")
		}
		if h.objects.watched["room:forbidden"] != nil {
			t.Error("a refused wish is kept")
		}
		go func() { done <- h.Unwatch(t.Context(), "user:2") }()
		m = c.expect(t, wire.TUnwatch)
		if !cmp.Equal(m.Objects, []string{"user:2"}) {
			t.Errorf("unwatch %+v", m)
		}
		c.send(t, &wire.Reply{T: wire.TReply, ID: m.ID})
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		l.expect(t, line("user:1", 3, "one"), line("user:2", 4, "two"))

		_ = c.Close()
		c = <-e.conns
		c.welcome(t, 0)
		m = c.expect(t, wire.TGet)
		slices.Sort(m.Objects)
		if !m.Watch || !cmp.Equal(m.Objects, []string{"user:1", "user:3"}) {
			t.Fatalf("asked again %+v", m)
		}
		c.send(t, &wire.ObjectMoved{T: wire.TObject, Key: "user:1", V: 9, Data: text("newest")})
		c.send(t, objectsReply(m.ID, map[string]wire.Object{"user:1": doc(8, "new"), "user:3": doc(7, "three")}))
		l.expect(t, line("user:1", 9, "newest"), line("user:3", 7, "three"))

		// A connection takes its own question with it, and the next one asks anew.
		_ = c.Close()
		c = <-e.conns
		c.welcome(t, 0)
		c.expect(t, wire.TGet)
		_ = c.Close()
		c = <-e.conns
		c.welcome(t, 0)
		m = c.expect(t, wire.TGet)
		c.send(t, &wire.Error{T: wire.TError, ID: m.ID, Code: wire.Unavailable})
		began := time.Now()
		m = c.expect(t, wire.TGet)
		if took := time.Since(began); took != watchAgain {
			t.Errorf("asked again after %v", took)
		}
		stale := objectsReply(m.ID, map[string]wire.Object{}, "user:1")
		stale.Stale = true
		c.send(t, stale)
		l.expect(t)
		_ = c.Close()
		c = <-e.conns
		c.welcome(t, 0)
		m = c.expect(t, wire.TGet)
		c.send(t, objectsReply(m.ID, map[string]wire.Object{"user:3": doc(7, "three")}, "user:1"))
		l.expect(t, "user:1 9 gone")
		h.finish(t, c)
	})
}

// A focus is said again in each hello, and its late channels are in the cursor.
func TestFocusIsKept(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		var active []wire.Seq
		e, h, c, _ := connected(t, n, Config{Focus: []wire.RoomID{"b"}, Events: Events{
			Activity: func(m *wire.Activity) { active = append(active, m.Seq) },
		}})
		done := make(chan error, 1)
		focus := func(rooms []wire.RoomID) wire.ClientMessage {
			t.Helper()
			go func() { done <- h.Focus(t.Context(), rooms) }()
			return c.expect(t, wire.TFocus)
		}
		focused := func(m wire.ClientMessage) (ids []wire.RoomID) {
			t.Helper()
			d := m.Focus
			if m.T == wire.TFocus {
				d = m.Rooms
			}
			ids, all, err := wire.RoomList(d)
			if err != nil || all != (ids == nil) {
				t.Fatalf("%+v: %v", m, err)
			}
			return ids
		}
		reconnect := func() wire.ClientMessage {
			t.Helper()
			_ = c.Close()
			c = <-e.conns
			return c.welcome(t, 0)
		}
		if got := focused(reconnect()); !cmp.Equal(got, []wire.RoomID{"b"}) {
			t.Errorf("hello has the focus %v", got)
		}
		c.send(t, &wire.Activity{T: wire.TActivity, Ch: chA, Seq: 15})
		m := focus([]wire.RoomID{"a"})
		c.message(t, chB, 20, 0)
		c.send(t, &wire.Focused{T: wire.TReply, ID: m.ID, Late: map[wire.Channel]wire.Seq{chA: 12}})
		if err := <-done; err != nil || !cmp.Equal(focused(m), []wire.RoomID{"a"}) {
			t.Fatalf("%+v: %v", m, err)
		}
		c.send(t, &Message{T: wire.TMessage, Ch: chA, Seq: 15, Prev: 12, Back: true})
		synctest.Wait()
		hello := reconnect()
		if got := focused(hello); !cmp.Equal(got, []wire.RoomID{"a"}) || hello.Resume.At["0"] != 20 || hello.Resume.Behind[chA] != 15 {
			t.Errorf("hello has the focus %v and %+v", got, hello.Resume)
		}
		c.send(t, &wire.Live{T: wire.TLive, Ch: chA, Seq: 20})
		m = focus([]wire.RoomID{}) // none at all
		c.send(t, &wire.Focused{T: wire.TReply, ID: m.ID})
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if got := focused(reconnect()); got == nil || len(got) > 0 {
			t.Errorf("hello has the focus %v", got)
		}
		m = focus(nil)
		c.send(t, &wire.Focused{T: wire.TReply, ID: m.ID})
		if err := <-done; err != nil || focused(m) != nil {
			t.Fatalf("%+v: %v", m, err)
		}
		hello = reconnect()
		if focused(hello) != nil || len(hello.Resume.Behind) > 0 {
			t.Errorf("hello %+v", hello)
		}
		if got := h.got(); !slices.Equal(got, []wire.Seq{20, 15}) || !slices.Equal(active, []wire.Seq{15}) {
			t.Errorf("frames %v, activity %v", got, active)
		}
		var field *wire.FieldError
		if err := h.Focus(t.Context(), []wire.RoomID{"x*"}); !errors.As(err, &field) {
			t.Errorf("focus of x*: %v", err)
		}
		h.finish(t, c)
	})
}

// Versions of another epoch say nothing about those of this one.
func TestAnotherEpochVoidsDocuments(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		e, h, c, l := connected(t, n, Config{})
		c.send(t, &wire.ObjectMoved{T: wire.TObject, Key: "user:u2", V: 60, Data: text("old")})
		l.expect(t, line("user:u2", 60, "old"))
		_ = c.Close()
		c = <-e.conns
		c.expect(t, wire.THello)
		c.send(t, &wire.Welcome{
			T: wire.TWelcome, User: wire.UserInfo{ID: "u1"}, Ping: 25,
			Cursor: wire.Cursor{Epoch: "f", At: wire.At{"0": 1}, V: 1},
		})
		synctest.Wait()
		if _, known := h.Object("user:u2"); known {
			t.Error("a document of another epoch is known")
		}
		c.send(t, &wire.ObjectMoved{T: wire.TObject, Key: "user:u2", V: 2, Data: text("new")})
		l.expect(t, line("user:u2", 2, "new"))
		h.finish(t, c)
	})
}
