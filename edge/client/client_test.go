package client

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
	"github.com/google/go-cmp/cmp"

	"selvedge/wire"
)

// bubble runs fn in virtual time with a fresh network.
func bubble(t *testing.T, fn func(t *testing.T, n *network)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { fn(t, new(network)) })
}

func TestResumesFromItsCursor(t *testing.T) {
	for codec := range wire.Codecs {
		t.Run(codec.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T, n *network) {
				e := n.edge(t, "one")
				h := run(t, n, Config{Edges: []string{e.url()}, Topics: []wire.Channel{"topic:x"}, JSON: codec == wire.JSON})
				c := <-e.conns
				hello := c.welcome(t, 10)
				if c.codec != codec || hello.Token != "token" || hello.Resume != nil || hello.Client != defaultName ||
					!cmp.Equal(hello.Topics, []wire.Channel{"topic:x"}) {
					t.Fatalf("hello over %v: %+v", c.codec, hello)
				}
				c.message(t, chA, 11, 0)
				c.send(t, &wire.Joined{T: wire.TJoined, Ch: chB, From: 5, V: 3})
				c.message(t, chA, 12, 11)
				if got := h.got(); !cmp.Equal(got, []wire.Seq{11, 12}) {
					t.Fatalf("delivered %v", got)
				}
				_ = c.Close()

				c = <-e.conns
				want := &wire.Cursor{Epoch: "e", At: wire.At{"0": 12}, Behind: map[wire.Channel]wire.Seq{chB: 5}, V: 3}
				if diff := cmp.Diff(want, c.welcome(t, 0).Resume); diff != "" {
					t.Fatalf("resume (-want +got):\n%s", diff)
				}
				c.message(t, chA, 12, 11) // an edge that repeats itself
				c.message(t, chA, 13, 12)
				if got := h.got(); !cmp.Equal(got, []wire.Seq{11, 12, 13}) {
					t.Fatalf("delivered %v", got)
				}
				if m := h.messages[2]; m.From != "u2" || m.Data.String() != `{"text":"<13>"}` || m.TS != 1 || m.Ch != chA {
					t.Errorf("message %+v", m)
				}
				want2 := Stats{Delivered: 3, Duplicates: 1, Connections: 2}
				if got := h.Stats(); got != want2 {
					t.Errorf("stats %+v, want %+v", got, want2)
				}
				h.finish(t, c)
			})
		})
	}
}

func TestHoleIsResumedOnceAndThenSaid(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		e := n.edge(t, "one")
		h := run(t, n, Config{Edges: []string{e.url()}})
		c := <-e.conns
		c.welcome(t, 10)
		c.message(t, chA, 11, 0)
		c.message(t, chA, 15, 13)
		c.expect(t, "ws:close")
		_ = c.Close()
		c = <-e.conns
		if hello := c.welcome(t, 0); hello.Resume.At["0"] != 11 {
			t.Fatalf("resume %+v", hello.Resume)
		}
		c.message(t, chA, 15, 13)
		if got := h.got(); !cmp.Equal(got, []wire.Seq{11, 15}) {
			t.Fatalf("delivered %v", got)
		}
		want := []string{"violation 11-13 again=false", "violation 11-13 again=true", "gap 12-13"}
		if diff := cmp.Diff(want, h.events); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		h.finish(t, c)
	})
}

func TestFinalCloses(t *testing.T) {
	for code, want := range map[wire.CloseCode]string{
		wire.CloseUnauthorized: "get another one",
		wire.CloseForbidden:    "refuses this user: blocked (4003)",
		wire.CloseMalformed:    "versions of client and edge",
	} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			bubble(t, func(t *testing.T, n *network) {
				e := n.edge(t, "one")
				h := run(t, n, Config{Edges: []string{e.url()}})
				asked := make(chan error, 1)
				go func() { _, err := h.Get(t.Context(), "user:1"); asked <- err }()
				c := <-e.conns
				c.expect(t, wire.THello)
				c.bye(t, code, "blocked")
				var refused *RefusedError
				if err := <-h.done; !errors.As(err, &refused) || refused.Code != code || !strings.Contains(err.Error(), want) {
					t.Errorf("Run: %v", err)
				}
				if err := <-asked; !errors.Is(err, ErrClosed) {
					t.Errorf("a request under way: %v", err)
				}
				if _, err := h.Get(t.Context(), "user:1"); !errors.Is(err, ErrClosed) {
					t.Errorf("a request afterwards: %v", err)
				}
			})
		})
	}
}

func TestExpiredTokenIsFetchedAgain(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		e := n.edge(t, "one")
		tokens := []string{"old", "new", "new"}
		h := run(t, n, Config{Edges: []string{e.url()}, Token: func(context.Context) (string, error) {
			next := tokens[0]
			tokens = tokens[1:]
			return next, nil
		}})
		for _, want := range []string{"old", "new"} {
			c := <-e.conns
			if hello := c.welcome(t, 0); hello.Token != want {
				t.Errorf("token %q, want %q", hello.Token, want)
			}
			c.bye(t, wire.CloseExpired, "")
		}
		var refused *RefusedError
		if err := <-h.done; !errors.As(err, &refused) || refused.Code != wire.CloseExpired {
			t.Errorf("Run, with no newer token: %v", err)
		}
	})
}

func TestOwnDefectsAreReportedAndBackOff(t *testing.T) {
	for _, code := range []wire.CloseCode{1002, 1003, 1007, 1009} {
		bubble(t, func(t *testing.T, n *network) {
			e := n.edge(t, "one")
			h := run(t, n, Config{Edges: []string{e.url()}})
			c := <-e.conns
			c.welcome(t, 0)
			c.bye(t, code, "why")
			c = <-e.conns
			synctest.Wait()
			lost := h.states[2]
			if lost.Kind != Waiting || !strings.Contains(lost.Err.Error(), "a defect of this client") || h.failures <= penalty {
				t.Errorf("%d: state %v after %d failures", code, lost, h.failures)
			}
			c.welcome(t, 0)
			h.finish(t, c)
		})
	}
}

func TestMalformedMessagesEndTheConnectionOnly(t *testing.T) {
	for name, frame := range map[string]ws.Frame{
		"no msgpack":       ws.NewBinaryFrame([]byte{0xc1}),
		"text":             ws.NewTextFrame([]byte("{}")),
		"too large":        {Header: ws.Header{Fin: true, OpCode: ws.OpBinary, Length: maxMessage + 1}},
		"masked":           ws.MaskFrame(ws.NewBinaryFrame([]byte{0x80})),
		"stray part":       ws.NewFrame(ws.OpContinuation, true, []byte{0x80}),
		"claims gigabytes": ws.NewBinaryFrame([]byte{0x81, 0xa1, 't', 0xdd, 0xff, 0xff, 0xff, 0xff}),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *network) {
				e := n.edge(t, "one")
				h := run(t, n, Config{Edges: []string{e.url()}})
				c := <-e.conns
				c.welcome(t, 0)
				bytes, err := ws.CompileFrame(frame)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := c.Write(bytes); err != nil {
					t.Fatal(err)
				}
				if m := c.expect(t, "ws:close"); m.ID != 1002 {
					t.Errorf("closed with %d", m.ID)
				}
				_ = c.Close()
				c = <-e.conns
				c.welcome(t, 0)
				h.finish(t, c)
			})
		})
	}
}

func TestMessageInParts(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		e := n.edge(t, "one")
		h := run(t, n, Config{Edges: []string{e.url()}, JSON: true})
		c := <-e.conns
		c.welcome(t, 0)
		for _, f := range []ws.Frame{
			ws.NewFrame(ws.OpText, false, []byte(`{"t":"message","ch":"room:a","seq":1,`)),
			ws.NewPingFrame([]byte("hi")),
			ws.NewFrame(ws.OpContinuation, true, []byte(`"data":{}}`)),
		} {
			if err := ws.WriteFrame(c, f); err != nil {
				t.Fatal(err)
			}
		}
		if m := c.expect(t, "ws:pong"); m.MsgID != "hi" {
			t.Errorf("pong %q", m.MsgID)
		}
		if got := h.got(); !cmp.Equal(got, []wire.Seq{1}) {
			t.Errorf("delivered %v", got)
		}
		h.finish(t, c)
	})
}

func TestGoawayMoves(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		one, two := n.edge(t, "one"), n.edge(t, "two")
		h := run(t, n, Config{Edges: []string{one.url()}, Static: true})
		c := <-one.conns
		c.welcome(t, 10)
		start := time.Now()
		c.send(t, map[string]any{"t": "goaway", "after_ms": 10_000, "edges": []Edge{{ID: "one", URL: one.url()}, {ID: "two", URL: two.url()}}})
		c.message(t, chA, 11, 0) // until then it serves
		c.expect(t, "ws:close")
		_ = c.Close()
		c = <-two.conns
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("moved after %s", d)
		}
		if hello := c.welcome(t, 0); hello.Resume == nil || hello.Resume.At["0"] != 11 {
			t.Errorf("resume %+v", hello.Resume)
		}
		h.finish(t, c)
	})
}

// What waits for an answer when the client moves is asked again at the next edge,
// a publish with the same id; no frame is lost, and none comes twice.
func TestGoawayTakesRequestsAlong(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		one, two := n.edge(t, "one"), n.edge(t, "two")
		h := run(t, n, Config{Edges: []string{one.url()}, Static: true})
		c := <-one.conns
		c.welcome(t, 10)
		waiting := h.publish(t, "mine")
		first := c.expect(t, wire.TPublish)
		c.send(t, wire.Goaway{T: wire.TGoaway, AfterMS: 10_000, Edges: []wire.EdgeRef{{ID: "two", Region: "eu-west", URL: two.url(), KM: 1.5}}})
		c.message(t, chA, 11, 0)
		c.expect(t, "ws:close")
		c.message(t, chA, 12, 11) // the close frame was still on its way
		_ = c.Close()
		left := time.Now()
		c = <-two.conns
		if d := time.Since(left); d > 10*time.Millisecond {
			t.Errorf("without an edge for %v", d)
		}
		if hello := c.welcome(t, 0); hello.Resume == nil || hello.Resume.At["0"] != 12 {
			t.Errorf("resume %+v", hello.Resume)
		}
		if again := c.expect(t, wire.TPublish); again.MsgID != first.MsgID || again.ID != first.ID {
			t.Errorf("sent %+v, then %+v", first, again)
		}
		c.message(t, chA, 12, 11)
		c.message(t, chA, 13, 12)
		c.send(t, &wire.Placed{T: wire.TReply, ID: first.ID, Seq: 13, Epoch: "e"})
		if got := <-waiting; got.err != nil || got.placed.Seq != 13 {
			t.Errorf("publish: %+v", got)
		}
		if got := h.got(); !cmp.Equal(got, []wire.Seq{11, 12, 13}) || len(h.events) > 0 {
			t.Errorf("delivered %v, and %v", got, h.events)
		}
		h.finish(t, c)
	})
}

func TestMovesToAnEdgeItWasToldOf(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		one, two := n.edge(t, "one"), n.edge(t, "two")
		one.named = []Edge{{ID: "one", URL: "http://one.example"}, {ID: "two", URL: two.url()}, {ID: "bad", URL: "::"}}
		h := run(t, n, Config{Edges: []string{one.url()}})
		c := <-one.conns
		c.welcome(t, 10)
		synctest.Wait()
		one.stop()
		_ = c.Close()
		start := time.Now()
		c = <-two.conns
		if d := time.Since(start); d > backoffFirst+backoffBase {
			t.Errorf("moved after %s", d)
		}
		c.welcome(t, 0)
		h.finish(t, c)
	})
}

func TestNearest(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		one, two, three := n.edge(t, "one"), n.edge(t, "two"), n.edge(t, "three")
		one.rtt, two.rtt, three.rtt = 80*time.Millisecond, 90*time.Millisecond, 20*time.Millisecond
		one.named = []Edge{{ID: "two", URL: two.url()}, {ID: "three", URL: three.url()}}
		start := time.Now()
		h := run(t, n, Config{Edges: []string{"http://down", one.url()}, Nearest: true})
		c := <-three.conns
		if d := time.Since(start); d > time.Second {
			t.Errorf("was there after %s", d)
		}
		c.welcome(t, 10)
		h.finish(t, c)
	})
}

func TestRefusedUpgradeWaitsAsAsked(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		e := n.edge(t, "one")
		e.status = 503
		h := run(t, n, Config{Edges: []string{e.url()}})
		synctest.Wait()
		last := h.states[len(h.states)-1]
		if last.Kind != Waiting || last.RetryIn < 7*time.Second || !strings.Contains(last.Err.Error(), "503") {
			t.Errorf("state %v", last)
		}
		h.finish(t, nil)
	})
}

// One edge's wish to be left alone is no reason to wait for another.
func TestRefusedUpgradeTriesAnother(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		one, two := n.edge(t, "one"), n.edge(t, "two")
		one.status = 503
		start := time.Now()
		h := run(t, n, Config{Edges: []string{one.url(), two.url()}})
		c := <-two.conns
		if d := time.Since(start); d > backoffFirst {
			t.Errorf("tried another after %v", d)
		}
		c.welcome(t, 10)
		h.finish(t, c)
	})
}

func TestSilentEdgeIsLeft(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		one, two := n.edge(t, "one"), n.edge(t, "two")
		h := run(t, n, Config{Edges: []string{one.url(), two.url()}, Static: true})
		c := <-one.conns
		c.welcome(t, 10)
		start := time.Now()
		c.expect(t, wire.TPing)
		if d := time.Since(start); d != 25*time.Second {
			t.Errorf("pinged after %s", d)
		}
		c.send(t, map[string]any{"t": "pong"})
		c.expect(t, wire.TPing)
		start = time.Now()
		c = <-two.conns // no pong: at another edge after 8 s, and a moment to part
		if d := time.Since(start); d < 8*time.Second || d > 10*time.Second {
			t.Errorf("left after %s", d)
		}
		c.welcome(t, 0)
		h.finish(t, c)
	})
}

func TestServerPingsAreSignsOfLife(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		e := n.edge(t, "one")
		h := run(t, n, Config{Edges: []string{e.url()}, Static: true})
		c := <-e.conns
		c.welcome(t, 10)
		for range 10 {
			<-time.After(20 * time.Second)
			if err := ws.WriteFrame(c, ws.NewPingFrame([]byte("x"))); err != nil {
				t.Fatal(err)
			}
			c.expect(t, "ws:pong") // and no ping of the client's own
		}
		h.finish(t, c)
	})
}

func TestNoWelcome(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		one, two := n.edge(t, "one"), n.edge(t, "two")
		h := run(t, n, Config{Edges: []string{one.url(), two.url()}, Static: true})
		c := <-one.conns
		c.expect(t, wire.THello)
		c = <-two.conns
		c.welcome(t, 0)
		h.finish(t, c)
	})
}

// bubbled is the number of goroutines in the bubble; no two tests run at once.
func bubbled() int {
	stacks := make([]byte, 1<<20)
	return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), ", synctest bubble ")
}

func TestConnectedClientCostsTwoGoroutines(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		e := n.edge(t, "one")
		synctest.Wait()
		before := bubbled()
		h := run(t, n, Config{Edges: []string{e.url()}})
		c := <-e.conns
		c.welcome(t, 0)
		<-time.After(time.Second) // it has learned of other edges
		synctest.Wait()
		if extra := bubbled() - before; before == 0 || extra != 2 {
			t.Errorf("%d goroutines, %d before", extra, before)
		}
		h.finish(t, c)
	})
}

func TestBackoffWindows(t *testing.T) {
	want := []time.Duration{100, 250, 500, 1000, 2000, 4000, 8000, 15000, 15000}
	for failures, w := range want {
		if got := window(failures); got != w*time.Millisecond {
			t.Errorf("window(%d) = %s", failures, got)
		}
	}
	if got := window(1 << 20); got != backoffCap {
		t.Errorf("window of many = %s", got)
	}
}

func TestConfigIsChecked(t *testing.T) {
	token := func(context.Context) (string, error) { return "", nil }
	for want, cfg := range map[string]Config{
		"no edge given":           {Token: token},
		`edge "x" is no URL`:      {Token: token, Edges: []string{"x"}},
		`scheme "ftp"`:            {Token: token, Edges: []string{"ftp://x"}},
		"no token source":         {Edges: []string{"http://x"}},
		`"room:a" can't be`:       {Token: token, Edges: []string{"http://x"}, Topics: []wire.Channel{"room:a"}},
		`bad channel "nonsense":`: {Token: token, Edges: []string{"http://x"}, Topics: []wire.Channel{"nonsense"}},
	} {
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

func TestEndpoint(t *testing.T) {
	for in, want := range map[string]string{
		"http://h:1":     "ws://h:1/v1/socket",
		"https://h/":     "wss://h/v1/socket",
		"wss://h/prefix": "wss://h/prefix/v1/socket",
	} {
		if got, err := endpoint(in, "/v1/socket", "ws"); err != nil || got != want {
			t.Errorf("endpoint(%q) = %q, %v", in, got, err)
		}
	}
}
