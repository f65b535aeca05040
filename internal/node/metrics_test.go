package node_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"selvedge/internal/identity"
	"selvedge/internal/node"
	"selvedge/topology"
	"selvedge/topology/gossip"
)

// Each state and each refusal is there from the start, and a stranger's packet is
// counted.
func TestGossipMetrics(t *testing.T) {
	g, err := gossip.Start(t.Context(), gossip.Config{
		Self: topology.Node{ID: "core-1", Role: topology.RoleCore, State: topology.StateReady},
		Bind: "127.0.0.1:0", Keys: identity.DevGossipKey(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	}()
	reg := prometheus.NewRegistry()
	reg.MustRegister(node.GossipMetrics(g))
	if got := gathered(t, reg); len(got) != 2*3+5 || got["selvedge_topology_nodes core ready"] != 1 || got["selvedge_topology_nodes edge ready"] != 0 {
		t.Errorf("metrics %v", got)
	}
	conn, err := net.Dial("udp", g.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write([]byte("is this port of use?")); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); gathered(t, reg)["selvedge_topology_refused_total form"] != 1; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("a packet was not counted: %v", gathered(t, reg))
		}
	}
}

// gathered are the values of a registry, by name and labels.
func gathered(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			key := []string{f.GetName()}
			for _, l := range m.GetLabel() {
				key = append(key, l.GetValue())
			}
			out[strings.Join(key, " ")] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return out
}
