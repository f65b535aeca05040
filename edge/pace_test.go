package edge

import (
	"encoding/json"
	"net/http"
	"runtime"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"selvedge/internal/identity/identitytest"
	"selvedge/wire"
)

// An edge that is asked for more sockets than it takes per second says so, on
// whichever way it is asked, and when to come again.
func TestAPacedEdge(t *testing.T) {
	ping := "GET /v1/ping HTTP/1.1\r\nHost: edge.test\r\n\r\n"
	for name, change := range map[string]func(n *edgeNode){
		"plain":    func(n *edgeNode) { n.cfg.Transport = DefaultTransport() },
		"portable": func(n *edgeNode) { n.cfg.Transport = "portable" },
		"TLS":      func(n *edgeNode) { n.cfg.Transport, n.cfg.TLS = DefaultTransport(), identitytest.ServerKeys(t) },
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(n *edgeNode) {
				change(n)
				n.limit, n.cfg.AcceptRate, n.cfg.AcceptBurst = 100, 0.001, 3
			})
			if ms := retryAfter(t, s.n); ms != 0 {
				t.Errorf("an edge that refuses nobody says to come again in %d ms", ms)
			}
			for range 3 {
				if _, got := s.ask(upgradeRequest); got[0] != 101 {
					t.Fatalf("a socket: %d", got)
				}
			}
			waiting, _ := s.ask()
			if _, err := waiting.Write([]byte(upgradeRequest)); err != nil {
				t.Fatal(err)
			}
			// On a busy machine it may have waited for too long by now.
			await(patience, func() bool {
				return s.n.door.Load().Waiting() == 1 || testutil.ToFloat64(s.n.metrics.accepts.WithLabelValues("rate")) == 1
			})
			if _, got := s.ask(upgradeRequest); got[0] != 503 {
				t.Errorf("one too many: %d", got)
			}
			if _, got := s.ask(ping, upgradeRequest); got[0] != 200 || got[1] != 503 {
				t.Errorf("a ping, then one too many: %d", got)
			}
			s.accepts("rate", 2, 3)
			var ms int64
			await(patience, func() bool { // what was refused counts for a second or two
				w := get(s.n, http.MethodGet, "/v1/socket")
				refused(t, w, http.StatusServiceUnavailable, wire.Unavailable)
				if w.Header().Get("Retry-After") == "" {
					t.Error("no Retry-After")
				}
				ms = retryAfter(t, s.n)
				return ms != 0
			})
			if ms < 1 || ms > 30_000 {
				t.Errorf("come again in %d ms", ms)
			}
			if s.n.cfg.TLS == nil {
				for range 6 { // of connections, four times the burst come in; with TLS twice
					s.ask()
				}
			}
			over, _ := s.ask()
			if _, err := over.Read(make([]byte, 1)); err == nil {
				t.Error("a connection too many is heard")
			}
			s.accepts("shed", 1)
		})
	}
}

// retryAfter is retry_after_ms of /v1/edges, 0 if there is none.
func retryAfter(t *testing.T, n *edgeNode) int64 {
	t.Helper()
	var body struct {
		RetryAfter *int64 `json:"retry_after_ms"`
	}
	w := get(n, http.MethodGet, "/v1/edges")
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatal(err)
	}
	if body.RetryAfter == nil {
		return 0
	}
	if *body.RetryAfter == 0 {
		t.Error("retry_after_ms is 0")
	}
	return *body.RetryAfter
}

func TestTheUsualAcceptRate(t *testing.T) {
	cpus := float64(runtime.GOMAXPROCS(0))
	for _, c := range []struct {
		want float64
		tls  bool
		rate float64
	}{{-1, false, 2000 * cpus}, {-1, true, 500 * cpus}, {0, true, 0}, {7, false, 7}} {
		if got := acceptRate(c.want, c.tls); got != c.rate {
			t.Errorf("--accept-rate %v, TLS %v: %v, want %v", c.want, c.tls, got, c.rate)
		}
	}
}
