package core

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/internal/identity"
	"selvedge/topology"
	"selvedge/topology/gossip"
	"selvedge/topology/region"
)

// A core that drains waits for its logs to be taken elsewhere: not longer than
// that takes, not longer than it may, and not at all where there is nobody else.
func TestAwaitGone(t *testing.T) {
	for name, test := range map[string]struct {
		gone, alone, want time.Duration // since the start
	}{
		"they go":         {gone: 700 * time.Millisecond, alone: time.Hour, want: 700 * time.Millisecond},
		"they stay":       {gone: time.Hour, alone: time.Hour, want: 5 * time.Second},
		"nobody else":     {gone: time.Hour, alone: 0, want: 0},
		"the others go":   {gone: time.Hour, alone: 2 * time.Second, want: 2 * time.Second},
		"nothing is open": {gone: 0, alone: time.Hour, want: 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				awaitGone(ctx, func() int {
					if time.Since(start) >= test.gone {
						return 0
					}
					return 17
				}, func() bool { return time.Since(start) < test.alone })
				if took := time.Since(start); took != test.want {
					t.Errorf("waited %v, want %v", took, test.want)
				}
			})
		})
	}
}

// A core that stops serves first, on connections that it doesn't keep; then it
// answers calls with 503, in the caller's codec, and only when nobody calls any more
// may the port be closed.
func TestLastCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l lastCall
		h := l.handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		ask := func(path, accept string) *http.Response {
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, nil)
			r.Header.Set("Accept", accept)
			h.ServeHTTP(w, r)
			return w.Result()
		}
		expect := func(res *http.Response, status int, connection, retry, body string) {
			t.Helper()
			got, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			if c, a := res.Header.Get("Connection"), res.Header.Get("Retry-After"); res.StatusCode != status || c != connection || a != retry || string(got) != body {
				t.Errorf("%d, connection %q, retry after %q, %q; want %d, %q, %q, %q", res.StatusCode, c, a, got, status, connection, retry, body)
			}
		}
		expect(ask("/v1/publish", ""), 200, "", "", "")
		l.leave()
		expect(ask("/v1/publish", ""), 200, "close", "", "")
		start := time.Now()
		done := make(chan time.Duration, 1)
		go func() {
			l.wait(t.Context())
			done <- time.Since(start)
		}()
		const text = `{"error":{"code":"unavailable","message":"this core is stopping: ask another one, or again"}}`
		for range 5 {
			time.Sleep(90 * time.Millisecond)
			expect(ask("/v1/publish", ""), 503, "close", "2", text)
		}
		// In kind, as all answers: what is asked for counts where there is no body.
		for _, c := range []struct{ body, accept, want string }{
			{"", "application/msgpack", "application/msgpack"},
			{"application/msgpack", "", "application/msgpack"},
			{"application/json", "application/msgpack", "application/json"},
		} {
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/publish", nil)
			r.Header.Set("Accept", c.accept)
			r.Header.Set("Content-Type", c.body)
			h.ServeHTTP(w, r)
			if got := w.Result().Header.Get("Content-Type"); w.Code != 503 || got != c.want {
				t.Errorf("a body of %q, asked for %q: %d, %s", c.body, c.accept, w.Code, got)
			}
		}
		expect(ask("/healthz", ""), 200, "close", "", "")
		if took := <-done; took < 540*time.Millisecond || took > 570*time.Millisecond { // 100 ms after the last call
			t.Errorf("the port was kept for %v", took)
		}
	})
}

// Somebody who never stops calling holds nothing up.
func TestLastCallEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l lastCall
		start := time.Now()
		done := make(chan time.Duration, 1)
		go func() {
			l.wait(t.Context())
			done <- time.Since(start)
		}()
		h := l.handler(http.NotFoundHandler())
		for {
			select {
			case took := <-done:
				if took != lastCallMost {
					t.Errorf("the port was kept for %v", took)
				}
				return
			case <-time.After(5 * time.Millisecond):
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/users", nil))
			}
		}
	})
}

// A core may be told to stop before it has read its logs: when it has, it does not say
// that it is ready after all, and that is no failure.
func TestReadyAfterTheStop(t *testing.T) {
	at, err := region.Parse("us-east")
	if err != nil {
		t.Fatal(err)
	}
	g, err := gossip.Start(t.Context(), gossip.Config{
		Self: topology.Node{ID: "core-1", Role: topology.RoleCore, Region: at.Name, Lat: at.Lat, Lon: at.Lon, State: topology.StateStarting},
		Bind: "127.0.0.1:0", Keys: identity.DevGossipKey(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	is := func(want topology.State) {
		t.Helper()
		if err := tellReady(g); err != nil {
			t.Fatal(err)
		}
		var told topology.State
		if err := g.Update(func(s *topology.Node) { told = s.State }); err != nil || told != want {
			t.Errorf("it tells %s, want %s; %v", told, want, err)
		}
	}
	is(topology.StateReady)
	if err := g.Update(func(s *topology.Node) { s.State = topology.StateDraining }); err != nil {
		t.Fatal(err)
	}
	is(topology.StateDraining)
	if err := g.Leave(time.Second); err != nil {
		t.Fatal(err)
	}
	if err := tellReady(g); err != nil {
		t.Errorf("after the goodbye: %v", err)
	}
}
