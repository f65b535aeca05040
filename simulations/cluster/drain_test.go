package cluster

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"selvedge/edge"
	"selvedge/simulations/ledger"
	"selvedge/wire"
)

// awaitNamed waits until an edge names another one to clients.
func awaitNamed(t *testing.T, edge, other string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		res, err := http.Get(edge + "/v1/edges")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err == nil && strings.Contains(string(body), other) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not name %s: %s", edge, other, body)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// An edge that is told to stop loses nothing: its clients go to the other one one
// after the other, get every message once and in order, and have an answer to
// all that they publish meanwhile.
func TestDrainedEdge(t *testing.T) {
	for _, transport := range []string{"epoll", "portable"} {
		t.Run(transport, func(t *testing.T) {
			const clients, window, channel = 20, 3 * time.Second, "room:general"
			r := newRig(t)
			book := ledger.New()
			var users []string
			for i := range clients {
				users = append(users, fmt.Sprint("u", i))
				book.Expect(users[i], channel)
			}
			r.room("general", users...)
			cfg := r.edgeConfig("e1", "eu-west", transport)
			cfg.Drain = window
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- edge.Run(ctx, cfg) }()
			leaving := "http://" + cfg.PublicAddr
			r.await(leaving + "/readyz")
			staying := r.edge("e2", "eu-west", transport)
			awaitNamed(t, leaving, staying)
			var all []*listener
			for _, user := range users {
				l := listen(t, user, nil, leaving)
				next(t, "welcome", l.welcome)
				all = append(all, l)
			}
			n := 0
			publish := func() {
				t.Helper()
				ask, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				if _, err := all[n%clients].Publish(ask, channel, data(t, fmt.Sprintf(`{"n":%d}`, n)), ""); err != nil {
					t.Fatalf("publish %d: %v", n, err)
				}
				book.Acknowledged(channel, n)
				n++
			}
			publish()
			told := time.Now()
			stop()
			refuses := func(path string) {
				t.Helper()
				for end := time.Now().Add(window / 3); ; {
					res, err := http.Get(leaving + path)
					if err != nil {
						t.Fatal(err)
					}
					_ = res.Body.Close()
					if res.StatusCode == http.StatusServiceUnavailable {
						return
					}
					if time.Now().After(end) {
						t.Fatalf("%s answers %d", path, res.StatusCode)
					}
				}
			}
			refuses("/readyz")
			refuses("/v1/socket")
			for over := false; !over; publish() {
				select {
				case err := <-ended:
					if err != nil {
						t.Errorf("the edge ended with %v", err)
					}
					over = true
				default:
				}
			}
			if took := time.Since(told); took > patience {
				t.Errorf("the edge took %v to stop", took)
			}
			for i, l := range all {
				w := next(t, "second welcome", l.welcome)
				if !w.Resumed || w.Edge.ID != "e2" {
					t.Errorf("%s came to %s, resumed %t", users[i], w.Edge.ID, w.Resumed)
				}
				if at := l.Edges()[0]; at.URL != staying {
					t.Errorf("%s is at %s", users[i], at.URL)
				}
			}
			for i, l := range all {
				for seen := -1; seen < n-1; {
					m := next(t, "message", l.messages)
					var body struct {
						N int `json:"n"`
					}
					if err := wire.Msgpack.Decode(m.Data, &body); err != nil {
						t.Fatal(err)
					}
					book.Saw(users[i], channel, body.N)
					seen = max(seen, body.N)
				}
				if len(l.welcome) > 0 {
					t.Errorf("%s had to connect a third time", users[i])
				}
			}
			if res := book.Result(); !res.Kept() {
				t.Errorf("promises were broken: %v", res)
			}
		})
	}
}
