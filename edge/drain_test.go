package edge

import (
	"net/http"
	"testing"
	"time"

	"selvedge/internal/identity/identitytest"
	"selvedge/topology"
)

// An edge that goes takes no more sockets, whatever the way in is, and nobody is
// sent to it; it answers all else, and keeps the sockets that it has.
func TestRetire(t *testing.T) {
	ask := func(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: edge.test\r\n\r\n" }
	for name, change := range map[string]func(n *edgeNode){
		"plain":    func(n *edgeNode) { n.cfg.Transport = DefaultTransport() },
		"portable": func(n *edgeNode) { n.cfg.Transport = "portable" },
		"TLS":      func(n *edgeNode) { n.cfg.Transport, n.cfg.TLS = DefaultTransport(), identitytest.ServerKeys(t) },
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, change)
			s.n.ready.Met("gossip")
			s.n.ready.Met("link")
			client, got := s.ask(upgradeRequest)
			defer func() { _ = client.Close() }()
			if got[0] != http.StatusSwitchingProtocols {
				t.Errorf("a socket: %d", got)
			}
			if _, got := s.ask(ask("/readyz")); got[0] != http.StatusOK {
				t.Fatalf("readyz: %d", got)
			}
			s.n.retire()
			if _, got := s.ask(upgradeRequest); got[0] != http.StatusServiceUnavailable {
				t.Errorf("a socket of one that goes: %d", got)
			}
			s.accepts("unavailable", 1)
			for path, want := range map[string]int{"/readyz": 503, "/healthz": 200, "/v1/ping": 503, "/v1/edges": 200} {
				if _, got := s.ask(ask(path)); got[0] != want {
					t.Errorf("%s: %d, want %d", path, got, want)
				}
			}
			await(patience, func() bool { // gossip takes a moment
				self, _ := s.n.gossip.Snapshot().Node("edge-1")
				return self.State == topology.StateDraining
			})
			if ranked := topology.RankEdges(s.n.gossip.Snapshot(), topology.RankOptions{}); len(ranked) != 0 {
				t.Errorf("clients are sent to it: %v", ranked)
			}
			if got := s.n.sockets(); got != 1 {
				t.Errorf("%d sockets are left", got)
			}
		})
	}
}

// A full edge takes longer to drain than it is asked for, so that its siblings can
// take the clients; a small one does not.
func TestDrainWindow(t *testing.T) {
	for _, c := range []struct {
		wanted  time.Duration
		rate    int
		sockets int
		want    time.Duration
	}{
		{20 * time.Second, 2000, 17000, 20 * time.Second},
		{20 * time.Second, 2000, 100_000, 50 * time.Second},
		{20 * time.Second, 0, 100_000, 20 * time.Second},
		{time.Second, 1, 3, 3 * time.Second},
	} {
		if got := drainWindow(c.wanted, c.rate, c.sockets); got != c.want {
			t.Errorf("%d sockets at %d/s, %v wanted: %v, want %v", c.sockets, c.rate, c.wanted, got, c.want)
		}
	}
}
