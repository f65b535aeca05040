package client

import (
	"context"
	"encoding/base64"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/wire"
)

// place makes edges of these names, each with a round trip in ms; the first one
// names them all, in this order.
func place(t *testing.T, n *network, names []string, ms ...int) map[string]*fakeEdge {
	t.Helper()
	edges := map[string]*fakeEdge{}
	var named []Edge
	for i, name := range names {
		e := n.edge(t, name)
		e.rtt = time.Duration(ms[i]) * time.Millisecond
		edges[name] = e
		named = append(named, Edge{ID: name, URL: e.url()})
	}
	for _, e := range edges {
		e.named = named
	}
	return edges
}

// order is whom a client would try, one after the other.
func order(d *directory) (ids []string) {
	for _, e := range d.known {
		ids = append(ids, e.URL[len("http://"):])
	}
	return ids
}

// The round trip decides, not who was asked first, whose connection was there
// first, or who answered first.
func TestRace(t *testing.T) {
	for _, test := range []struct {
		what   string
		ms     []int // of a, b, c, d
		slower []int // than their connections pings are
		down   string
		want   []string
	}{
		{"the quickest", []int{80, 50, 20, 1}, nil, "", []string{"c", "a", "b", "d"}},
		{"about as quick: the one that was named first", []int{28, 30, 20, 1}, nil, "", []string{"a", "b", "c", "d"}},
		{"far from all: a quarter is about as quick", []int{240, 200, 260, 1}, nil, "", []string{"a", "b", "c", "d"}},
		{"a quick connection to a slow edge", []int{5, 70, 40, 1}, []int{200, 0, 0, 0}, "", []string{"c", "b", "a", "d"}},
		{"a slow connection to a quick edge", []int{60, 50, 200, 1}, []int{0, 0, -180, 0}, "", []string{"c", "a", "b", "d"}},
		{"a slow one is not waited for", []int{2900, 50, 80, 1}, nil, "", []string{"b", "c", "a", "d"}},
		{"one is down", []int{80, 20, 50, 1}, nil, "b", []string{"c", "a", "d", "b"}},
	} {
		t.Run(test.what, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *network) {
				edges := place(t, n, []string{"a", "b", "c", "d"}, test.ms...)
				for i, ms := range test.slower {
					edges[string(rune('a'+i))].slower = time.Duration(ms) * time.Millisecond
				}
				client, err := New(Config{Edges: []string{"http://a"}, Dial: n.dial, Token: func(context.Context) (string, error) { return "", nil }})
				if err != nil {
					t.Fatal(err)
				}
				d := client.edges
				if err := d.discover(t.Context()); err != nil {
					t.Fatal(err)
				}
				if test.down != "" {
					edges[test.down].stop()
				}
				start := time.Now()
				d.race(t.Context())
				if took := time.Since(start); took > 1200*time.Millisecond {
					t.Errorf("the race took %v", took)
				}
				if got := order(d); !slices.Equal(got, test.want) {
					t.Errorf("the order is %v, want %v", got, test.want)
				}
				<-time.After(5 * time.Second) // connections that were given up
			})
		})
	}
}

// Where nobody answers, the order is as it was.
func TestRaceOfNobody(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		h, err := New(Config{Edges: []string{"http://x", "http://y"}, Dial: n.dial, Token: func(context.Context) (string, error) { return "", nil }})
		if err != nil {
			t.Fatal(err)
		}
		h.edges.race(t.Context())
		if got := order(h.edges); !slices.Equal(got, []string{"x", "y"}) {
			t.Errorf("the order is %v", got)
		}
	})
}

// A client that had to leave the nearest edge is back when that is back, and then
// stays: it doesn't leave for one that is about as near.
func TestNearestAgain(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		edges := place(t, n, []string{"far", "near"}, 120, 10)
		h := run(t, n, Config{Edges: []string{"http://far"}, Nearest: true})
		c := <-edges["near"].conns
		c.welcome(t, 10)
		<-time.After(10 * time.Second)
		edges["near"].stop()
		_ = c.Close()
		c = <-edges["far"].conns
		c.welcome(t, 10)

		again := n.edge(t, "near")
		again.named = edges["far"].named
		again.move(10*time.Millisecond, 0)
		left := time.Now()
		bye := answering(t, c)
		_ = c.Close()
		if bye.ID != 1001 {
			t.Errorf("closed with %d, want 1001", bye.ID)
		}
		c = <-again.conns
		if d := time.Since(left); d < recheckFirst/2 || d > recheckFirst+3*time.Second {
			t.Errorf("was back after %v", d)
		}
		c.welcome(t, 10)
		edges["far"].move(time.Millisecond, 0)
		quiet(t, c, 20*time.Minute)
		h.finish(t, c)
	})
}

// answering answers pings until something else comes.
func answering(t *testing.T, c *fakeConn) wire.ClientMessage {
	t.Helper()
	m := c.next(t)
	for ; m.T == wire.TPing; m = c.next(t) {
		c.send(t, map[string]string{"t": "pong"})
	}
	return m
}

// quiet answers pings for a time, in which the client must not go.
func quiet(t *testing.T, c *fakeConn, d time.Duration) {
	t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); {
		if m := c.next(t); m.T != "ping" {
			t.Fatalf("the client sent %+v", m)
		}
		c.send(t, map[string]string{"t": "pong"})
	}
}

// On another network the client looks at once, also while it waits to try again.
func TestNetworkChanged(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		edges := place(t, n, []string{"one", "two"}, 10, 120)
		h := run(t, n, Config{Edges: []string{"http://one"}, Nearest: true})
		c := <-edges["one"].conns
		c.welcome(t, 10)
		<-time.After(time.Second)

		start := time.Now()
		h.NetworkChanged() // and nothing is better
		c.expect(t, "ping")
		c.send(t, map[string]string{"t": "pong"})
		<-time.After(5 * time.Second)

		edges["one"].move(10*time.Millisecond, 300*time.Millisecond)
		edges["two"].move(5*time.Millisecond, 0)
		h.NetworkChanged()
		c.expect(t, "ping")
		c.expect(t, "ws:close")
		_ = c.Close()
		c = <-edges["two"].conns
		c.welcome(t, 10)
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("was there after %v", d)
		}

		// No network at all, for long.
		edges["one"].stop()
		edges["two"].stop()
		_ = c.Close()
		<-time.After(10 * time.Minute)
		back := n.edge(t, "one")
		synctest.Wait()
		start = time.Now()
		h.NetworkChanged()
		c = <-back.conns
		if d := time.Since(start); d > 200*time.Millisecond {
			t.Errorf("tried again after %v", d)
		}
		c.welcome(t, 10)
		h.finish(t, c)
	})
}

// An edge that welcomes and cuts, and does it again and again, is left.
func TestAnEdgeThatKeepsCutting(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		edges := place(t, n, []string{"one", "two"}, 1, 1)
		h := run(t, n, Config{Edges: []string{"http://one", "http://two"}})
		for range 3 {
			c := <-edges["one"].conns
			c.welcome(t, 10)
			<-time.After(time.Second)
			_ = c.Close()
		}
		c := <-edges["two"].conns
		c.welcome(t, 10)
		if want := []string{"one", "one", "one", "two"}; !slices.Equal(n.dials, want) {
			t.Errorf("the client came to %v, want %v", n.dials, want)
		}
		h.finish(t, c)
	})
}

// Edges are asked for the one where the team meets: that of the configuration, or
// else of the token.
func TestTeam(t *testing.T) {
	token := "e30." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"u1","team":"red & blue"}`)) + ".c2ln"
	for name, test := range map[string]struct {
		team, token, want string
	}{
		"of the token":      {"", token, "one team=red+%26+blue"},
		"of the config":     {"green", token, "one team=green"},
		"none":              {"", "e30.e30.c2ln", "one "},
		"an unreadable one": {"", "secret", "one "},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *network) {
				e := n.edge(t, "one")
				h := run(t, n, Config{
					Edges: []string{"http://one"}, Nearest: true, Team: test.team,
					Token: func(context.Context) (string, error) { return test.token, nil },
				})
				c := <-e.conns
				c.welcome(t, 10)
				<-time.After(time.Second)
				n.mu.Lock()
				asked := slices.Clone(n.questions)
				n.mu.Unlock()
				if len(asked) == 0 || slices.ContainsFunc(asked, func(q string) bool { return q != test.want }) {
					t.Errorf("asked %q, want %q", asked, test.want)
				}
				h.finish(t, c)
			})
		})
	}
}

func TestTeamOf(t *testing.T) {
	for _, token := range []string{"", ".", "..", "a.b.c", "e30.bnVsbA.", "e30.WzFd.x", "e30.eyJ0ZWFtIjoxfQ.x"} {
		if got := teamOf(token); got != "" {
			t.Errorf("teamOf(%q) = %q", token, got)
		}
	}
}

// An edge welcomes while a nearer one was put in front of it: each keeps its own name.
func TestAnEdgeThatIsNotTheFirstAnyMoreSaysItsName(t *testing.T) {
	d := newDirectory([]string{"http://a", "http://b"}, nil)
	a := d.current()
	d.next(a)
	d.identify(a, "edge-a", "eu-west")
	want := []Edge{{URL: "http://b"}, {ID: "edge-a", Region: "eu-west", URL: "http://a"}}
	if !slices.Equal(d.known, want) {
		t.Errorf("known are %+v, want %+v", d.known, want)
	}
}
