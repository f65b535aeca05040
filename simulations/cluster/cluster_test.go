package cluster

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"selvedge/edge/client"
	"selvedge/wire"
)

// listener is a client that hands on what it gets.
type listener struct {
	*client.Client
	welcome  chan *wire.Welcome
	messages chan *client.Message
	joined   chan *wire.Joined
	left     chan *wire.Left
	signals  chan *wire.Signal
	trouble  chan string
	cuts     atomic.Int64 // connections that ended without being asked to move
}

func listen(t *testing.T, user string, topics []wire.Channel, edges ...string) *listener {
	t.Helper()
	l := &listener{
		welcome: make(chan *wire.Welcome, 100), messages: make(chan *client.Message, 100000),
		joined: make(chan *wire.Joined, 100), left: make(chan *wire.Left, 100), signals: make(chan *wire.Signal, 100), trouble: make(chan string, 100),
	}
	tok := token(t, user)
	c, err := client.New(client.Config{
		Edges: edges, Topics: topics, Token: func(context.Context) (string, error) { return tok, nil },
		Events: client.Events{
			Welcome: func(w *wire.Welcome) { l.welcome <- w },
			Message: func(m *client.Message) { l.messages <- m },
			Joined:  func(j *wire.Joined) { l.joined <- j },
			Left:    func(x *wire.Left) { l.left <- x },
			Signal:  func(x *wire.Signal) { l.signals <- x },
			State: func(s client.State) {
				if s.Kind == client.Waiting && s.RetryIn > 0 {
					l.cuts.Add(1)
				}
			},
			Gap: func(g *wire.Gap) { l.trouble <- "gap in " + string(g.Ch) },
			Violation: func(v client.Violation) {
				l.trouble <- "violation in " + string(v.Ch)
				t.Errorf("violation: %+v", v)
			},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	l.Client = c
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("client of %s: %v", user, err)
		}
	})
	return l
}

func next[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("no %s within %v", what, patience)
		panic("unreachable")
	}
}

func data(t *testing.T, n string) wire.Data {
	t.Helper()
	d, err := wire.ParseJSON([]byte(n))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestMessageCrossesToEveryMember(t *testing.T) {
	r := newRig(t)
	r.room("general", "u1", "u2")
	east := r.edge("e1", "us-east", "epoll")
	west := r.edge("e2", "eu-west", "portable")
	u1 := listen(t, "u1", nil, east)
	u2 := listen(t, "u2", []wire.Channel{"topic:news"}, west)
	w := next(t, "welcome", u1.welcome)
	if len(w.Rooms) != 1 || w.Rooms[0].ID != "general" || w.Rooms[0].MemberCount != 2 || w.Resumed {
		t.Errorf("welcome: %+v", w)
	}
	next(t, "welcome", u2.welcome)
	r.publish("room:general", 1)
	for _, l := range []*listener{u1, u2} {
		if m := next(t, "message", l.messages); m.Ch != "room:general" || m.Data.String() != `{"n":1}` {
			t.Errorf("got %+v", m)
		}
	}
	r.publish("topic:news", 2)
	if m := next(t, "message", u2.messages); m.Ch != "topic:news" {
		t.Errorf("got %+v", m)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	placed, err := u1.Publish(ctx, "room:general", data(t, `{"n":3}`), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []*listener{u1, u2} {
		if m := next(t, "message", l.messages); m.Seq != placed.Seq || m.From != "u1" || m.Prev == 0 {
			t.Errorf("got %+v, want seq %d from u1", m, placed.Seq)
		}
	}
}

func TestJoinAndLeaveOnLiveSockets(t *testing.T) {
	r := newRig(t)
	r.room("general", "u1")
	east := r.edge("e1", "us-east", "epoll")
	u1 := listen(t, "u1", nil, east)
	next(t, "welcome", u1.welcome)
	r.room("late", "u1")
	r.publish("room:late", 1) // before the edge can know of the join
	if j := next(t, "joined", u1.joined); j.Ch != "room:late" || j.Room.MemberCount != 1 {
		t.Errorf("joined %+v", j)
	}
	if m := next(t, "message", u1.messages); m.Ch != "room:late" {
		t.Errorf("got %+v", m)
	}
	r.call("POST", "/v1/rooms/late/members", map[string]any{"remove": []string{"u1"}})
	if x := next(t, "left", u1.left); x.Ch != "room:late" {
		t.Errorf("left %+v", x)
	}
	r.publish("room:late", 2)
	r.publish("room:general", 3)
	if m := next(t, "message", u1.messages); m.Ch != "room:general" {
		t.Errorf("a room that was left delivers: %+v", m)
	}
}
