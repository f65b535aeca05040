package client

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// An edge that says when to come again is believed, however often: its word takes
// the place of the backoff, and clients that it told the same second come spread.
func TestRetryAfterTakesThePlaceOfTheBackoff(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		e := n.edge(t, "one")
		e.status, e.after = 503, "2"
		h := run(t, n, Config{Edges: []string{e.url()}, Static: true})
		time.Sleep(60 * time.Second)
		synctest.Wait()
		edges, _ := n.dialled()
		dials := len(edges)
		if dials < 20 || dials > 30 { // a wait of 2 to 3 s each; the backoff's would be fewer
			t.Errorf("%d attempts in a minute", dials)
		}
		waits := map[time.Duration]bool{}
		for _, s := range h.states {
			if s.Kind != Waiting {
				continue
			}
			if s.RetryIn < 2*time.Second || s.RetryIn > 3*time.Second {
				t.Errorf("waits %s", s.RetryIn)
			}
			waits[s.RetryIn] = true
		}
		if len(waits) < 10 {
			t.Errorf("%d different waits in %d", len(waits), dials)
		}
		h.finish(t, nil)
	})
}

// Without a word of the edge, the waits are the backoff's.
func TestRetryAfterOfNothing(t *testing.T) {
	for _, after := range []string{"0", "soon", "-3"} {
		bubble(t, func(t *testing.T, n *network) {
			e := n.edge(t, "one")
			e.status, e.after = 503, after
			h := run(t, n, Config{Edges: []string{e.url()}, Static: true})
			time.Sleep(10 * time.Minute)
			synctest.Wait()
			if edges, _ := n.dialled(); len(edges) < 60 || len(edges) > 120 { // some 7.5 s each, once the cap is reached
				t.Errorf("Retry-After %q: %d attempts in ten minutes", after, len(edges))
			}
			h.finish(t, nil)
		})
	}
}

// When all edges refuse, each is left alone for as long as it asked.
func TestEachEdgeIsLeftAlone(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		one, two := n.edge(t, "one"), n.edge(t, "two")
		one.status, one.after = 503, "30"
		two.status, two.after = 503, "5"
		h := run(t, n, Config{Edges: []string{one.url(), two.url()}, Static: true})
		time.Sleep(29 * time.Second)
		synctest.Wait()
		if got, _ := n.dialled(); got[0] != "one" || slices.Contains(got[1:], "one") || len(got) < 5 || len(got) > 7 {
			t.Errorf("within 29 s %v", got)
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if got, _ := n.dialled(); !slices.Contains(got[1:], "one") {
			t.Errorf("within 49 s %v", got)
		}
		h.finish(t, nil)
	})
}

// An edge that answers a client's question for edges with a wish to be left alone
// is not the one to go to, unless there is no other.
func TestAnEdgeThatTellsToComeLater(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		one, two := n.edge(t, "one"), n.edge(t, "two")
		one.rest, two.rtt = 10*time.Second, 50*time.Millisecond
		one.named = []Edge{{ID: "one", URL: one.url()}, {ID: "two", URL: two.url()}}
		start := time.Now()
		h := run(t, n, Config{Edges: []string{one.url()}, Nearest: true})
		c := <-two.conns
		if d := time.Since(start); d > time.Second {
			t.Errorf("at the other edge after %s", d)
		}
		c.welcome(t, 10)
		h.finish(t, c)
	})
	bubble(t, func(t *testing.T, n *network) {
		one := n.edge(t, "one")
		one.rest = 10 * time.Second
		start := time.Now()
		h := run(t, n, Config{Edges: []string{one.url()}, Nearest: true})
		c := <-one.conns
		if d := time.Since(start); d < 10*time.Second || d > 11*time.Second {
			t.Errorf("at the only edge after %s", d)
		}
		c.welcome(t, 10)
		h.finish(t, c)
	})
}

// A client that has a cursor says so when it asks for its socket.
func TestWhoComesBackSaysSo(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		e := n.edge(t, "one")
		h := run(t, n, Config{Edges: []string{e.url()}, Static: true})
		c := <-e.conns
		c.welcome(t, 10)
		synctest.Wait()
		_ = c.Close()
		c = <-e.conns
		c.welcome(t, 10)
		_, got := n.dialled()
		if want := []string{"/v1/socket", "/v1/socket?resume=1"}; !slices.Equal(got, want) {
			t.Errorf("asked for %v, want %v", got, want)
		}
		h.finish(t, c)
	})
}

// dialled is where sockets were asked for so far, and how.
func (n *network) dialled() (edges, urls []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.dials), slices.Clone(n.asked)
}
