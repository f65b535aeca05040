package edge

import (
	"net/http"
	"testing"

	"selvedge/topology"
)

// An edge that goes takes no more sockets, whatever the way in is, and nobody is
// sent to it; it answers all else, and keeps the sockets that it has.
func TestRetire(t *testing.T) {
	ask := func(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: edge.test\r\n\r\n" }
	for name, change := range map[string]func(n *edgeNode){
		"plain":    func(n *edgeNode) { n.cfg.Transport = DefaultTransport() },
		"portable": func(n *edgeNode) { n.cfg.Transport = "portable" },
		"TLS":      func(n *edgeNode) { n.cfg.Transport, n.cfg.TLS = DefaultTransport(), serverKeys(t) },
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
			for path, want := range map[string]int{"/readyz": 503, "/healthz": 200, "/v1/ping": 200, "/v1/edges": 200} {
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
