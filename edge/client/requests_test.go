package client

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"selvedge/wire"
)

type published struct {
	placed wire.Placed
	err    error
}

func (h *harness) publish(t *testing.T, msgID string) <-chan published {
	t.Helper()
	out := make(chan published, 1)
	go func() {
		placed, err := h.Publish(t.Context(), chA, text("hello"), msgID)
		out <- published{placed, err}
	}()
	return out
}

func TestPublishIsRepeatedWithItsID(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		e := n.edge(t, "one")
		h := run(t, n, Config{Edges: []string{e.url()}})
		early := h.publish(t, "") // before there is an edge
		c := <-e.conns
		c.welcome(t, 10)
		first := c.expect(t, wire.TPublish)
		if first.MsgID == "" || first.Ch != chA || first.Data.String() != `{"text":"<hello>"}` {
			t.Fatalf("publish %+v", first)
		}
		c.send(t, &wire.Placed{T: wire.TReply, ID: first.ID, Seq: 11, Epoch: "e"})
		if got := <-early; got.err != nil || got.placed.Seq != 11 || got.placed.Epoch != "e" {
			t.Errorf("publish: %+v", got)
		}

		waiting := h.publish(t, "mine")
		cut := c.expect(t, wire.TPublish)
		_ = c.Close() // with the answer under way
		c = <-e.conns
		if hello := c.welcome(t, 0); hello.Resume == nil {
			t.Error("the session was not resumed")
		}
		again := c.expect(t, wire.TPublish)
		if diff := cmp.Diff(cut, again); diff != "" || again.MsgID != "mine" {
			t.Errorf("sent again (-first +second):\n%s", diff)
		}
		c.send(t, &wire.Placed{T: wire.TReply, ID: again.ID, Seq: 12})
		c.send(t, &wire.Placed{T: wire.TReply, ID: again.ID, Seq: 99}) // nobody waits any more
		if got := <-waiting; got.err != nil || got.placed.Seq != 12 {
			t.Errorf("publish: %+v", got)
		}
		_ = c.Close()
		c = <-e.conns
		c.welcome(t, 0)
		h.finish(t, c) // which fails if anything was sent a third time
	})
}

func TestNothingIsAskedBeforeWelcome(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		e := n.edge(t, "one")
		h := run(t, n, Config{Edges: []string{e.url()}})
		c := <-e.conns
		c.welcome(t, 10)
		_ = c.Close()
		c = <-e.conns
		c.expect(t, wire.THello)
		waiting := h.publish(t, "")
		if err := c.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		if n, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the client sent %d bytes between hello and welcome: %v", n, err)
		}
		if err := h.Signal(chA, text("typing")); !errors.Is(err, ErrNotConnected) {
			t.Errorf("signal before welcome: %v", err)
		}
		h.cancel()
		_ = c.Close()
		if err := <-h.done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
		if got := <-waiting; !errors.Is(got.err, ErrClosed) {
			t.Errorf("publish: %+v", got)
		}
	})
}

func TestPublishIsNotRepeatedTooLate(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		e := n.edge(t, "one")
		h := run(t, n, Config{Edges: []string{e.url()}})
		c := <-e.conns
		c.welcome(t, 10)
		waiting := h.publish(t, "mine")
		c.expect(t, wire.TPublish)
		e.stop()
		_ = c.Close()
		<-time.After(repeatWithin)
		e = n.edge(t, "one")
		c = <-e.conns
		c.welcome(t, 0)
		if got := <-waiting; !errors.Is(got.err, ErrUnknownOutcome) {
			t.Errorf("publish: %+v", got)
		}
		h.finish(t, c)
	})
}

func TestRequestsAreAnswered(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		e := n.edge(t, "one")
		h := run(t, n, Config{Edges: []string{e.url()}})
		c := <-e.conns
		c.welcome(t, 10)
		ctx := t.Context()
		for _, step := range []struct {
			want  wire.ClientMessage
			reply map[string]any
			call  func() (any, error)
			got   any
		}{
			{
				wire.ClientMessage{T: wire.TGet, Objects: []string{"user:1"}},
				map[string]any{"objects": map[string]any{"user:1": map[string]any{"v": 3, "data": map[string]any{}}}},
				func() (any, error) { o, err := h.Get(ctx, "user:1"); return o.Objects["user:1"].V, err }, wire.Seq(3),
			},
			{
				wire.ClientMessage{T: wire.TMembers, Room: "a", After: wire.Data("\xa3u\"1"), Limit: 2},
				map[string]any{"members": []string{"u2"}, "next": "u2", "member_count": 3},
				func() (any, error) {
					m, err := h.Members(ctx, "a", Page{After: `u"1`, Limit: 2})
					return m.Next, err
				}, "u2",
			},
			{
				wire.ClientMessage{T: wire.TRooms},
				map[string]any{"rooms": []any{map[string]any{"id": "a"}}},
				func() (any, error) { r, err := h.Rooms(ctx, Page{}); return r.Rooms[0].ID, err }, wire.RoomID("a"),
			},
			{
				wire.ClientMessage{T: wire.THistory, Ch: chA, After: wire.Data{7}, Limit: 5},
				map[string]any{"frames": []any{}, "floor": 2, "last": 9},
				func() (any, error) {
					r, err := h.History(ctx, chA, Range{After: 7, Limit: 5})
					return r.Last, err
				}, wire.Seq(9),
			},
		} {
			done := make(chan struct{})
			go func() {
				defer close(done)
				if got, err := step.call(); err != nil || got != step.got {
					t.Errorf("%s: %v, %v", step.want.T, got, err)
				}
			}()
			m := c.next(t)
			step.reply["t"], step.reply["id"] = "reply", m.ID
			m.ID = 0
			if diff := cmp.Diff(step.want, m); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
			c.send(t, step.reply)
			<-done
		}
		waiting := h.publish(t, "")
		c.send(t, &wire.Error{T: wire.TError, ID: c.expect(t, wire.TPublish).ID, Code: wire.Forbidden, Message: "not a member"})
		var refused *RequestError
		if got := <-waiting; !errors.As(got.err, &refused) || refused.Code != wire.Forbidden {
			t.Errorf("refused publish: %v", got.err)
		}
		h.finish(t, c)
	})
}

func TestSubscriptionOutlivesItsConnection(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		e := n.edge(t, "one")
		h := run(t, n, Config{Edges: []string{e.url()}})
		c := <-e.conns
		c.welcome(t, 10)
		since := wire.Seq(4)
		done := make(chan error, 1)
		go func() { _, err := h.Subscribe(t.Context(), "topic:x", &since); done <- err }()
		m := c.expect(t, wire.TSubscribe)
		if m.Since == nil || *m.Since != 4 {
			t.Errorf("subscribe %+v", m)
		}
		c.send(t, &wire.Placed{T: wire.TReply, ID: m.ID, Seq: 10})
		c.send(t, &Message{T: wire.TMessage, Ch: "topic:x", Seq: 6, Back: true, Data: text("")})
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if got := h.got(); !cmp.Equal(got, []wire.Seq{6}) {
			t.Errorf("delivered %v", got)
		}
		_ = c.Close()
		c = <-e.conns
		hello := c.welcome(t, 0)
		if !cmp.Equal(hello.Topics, []wire.Channel{"topic:x"}) || hello.Resume.Behind["topic:x"] != 6 {
			t.Errorf("hello %+v, resume %+v", hello, hello.Resume)
		}
		go func() { done <- h.Unsubscribe(t.Context(), "topic:x") }()
		c.send(t, &wire.Reply{T: wire.TReply, ID: c.expect(t, wire.TUnsubscribe).ID})
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
		c = <-e.conns
		if hello := c.welcome(t, 0); hello.Topics != nil || hello.Resume.Behind != nil {
			t.Errorf("hello %+v, resume %+v", hello, hello.Resume)
		}
		h.finish(t, c)
	})
}

// Who gives up waiting for an unsubscribe that the edge was told of doesn't undo
// it: the edge delivers nothing more, so the session must not count on it.
func TestAnUnsubscribeThatNobodyWaitsFor(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		e := n.edge(t, "one")
		h := run(t, n, Config{Edges: []string{e.url()}})
		c := <-e.conns
		c.welcome(t, 10)
		done := make(chan error, 1)
		go func() { _, err := h.Subscribe(t.Context(), "topic:x", nil); done <- err }()
		c.send(t, &wire.Placed{T: wire.TReply, ID: c.expect(t, wire.TSubscribe).ID, Seq: 10})
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() { done <- h.Unsubscribe(ctx, "topic:x") }()
		m := c.expect(t, wire.TUnsubscribe)
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Fatalf("gave up with %v", err)
		}
		c.send(t, &wire.Reply{T: wire.TReply, ID: m.ID})
		synctest.Wait()
		_ = c.Close()
		c = <-e.conns
		if hello := c.welcome(t, 0); hello.Topics != nil {
			t.Errorf("topics %v", hello.Topics)
		}
		if got := len(h.requests.slots); got != 0 {
			t.Errorf("%d requests are under way", got)
		}
		h.finish(t, c)
	})
}

func TestRequestsThatCanNotBeSent(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		e := n.edge(t, "one")
		h := run(t, n, Config{Edges: []string{e.url()}})
		if err := h.Signal(chA, text("typing")); !errors.Is(err, ErrNotConnected) {
			t.Errorf("signal to nobody: %v", err)
		}
		c := <-e.conns
		c.welcome(t, 10)
		synctest.Wait()
		if err := h.Signal(chA, text("typing")); err != nil {
			t.Errorf("signal: %v", err)
		}
		c.expect(t, wire.TSignal)
		big := text(strings.Repeat("x", wire.MaxClientMessage))
		if _, err := h.Publish(t.Context(), chA, big, ""); !errors.Is(err, wire.ErrTooLarge) {
			t.Errorf("publish of too much: %v", err)
		}
		if err := h.Signal(chA, big); !errors.Is(err, wire.ErrTooLarge) {
			t.Errorf("signal of too much: %v", err)
		}
		if _, err := h.Subscribe(t.Context(), chA, nil); err == nil {
			t.Error("a room was subscribed")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := h.Get(ctx, "user:1"); !errors.Is(err, context.Canceled) {
			t.Errorf("get, given up: %v", err)
		}
		h.cancel() // whatever was still sent of it
		for m := c.next(t); m.T != "ws:close"; m = c.next(t) {
			if m.T != wire.TGet {
				t.Errorf("the client sent %+v", m)
			}
		}
		_ = c.Close()
		if err := <-h.done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
	})
}
