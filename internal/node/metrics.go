package node

import (
	"github.com/prometheus/client_golang/prometheus"

	"selvedge/topology"
	"selvedge/topology/gossip"
)

// GossipMetrics collects what a node's gossip knows, and what it refused.
func GossipMetrics(g *gossip.Gossip) prometheus.Collector { return gossipMetrics{g} }

type gossipMetrics struct{ gossip *gossip.Gossip }

var (
	nodesDesc   = prometheus.NewDesc("selvedge_topology_nodes", "Nodes that gossip knows.", []string{"role", "state"}, nil)
	refusedDesc = prometheus.NewDesc("selvedge_topology_refused_total", "What gossip refused of others.", []string{"reason"}, nil)
)

// Describe implements prometheus.Collector.
func (m gossipMetrics) Describe(ch chan<- *prometheus.Desc) {
	ch <- nodesDesc
	ch <- refusedDesc
}

// Collect implements prometheus.Collector.
func (m gossipMetrics) Collect(ch chan<- prometheus.Metric) {
	type key struct {
		role  topology.Role
		state topology.State
	}
	count := map[key]int{}
	for _, role := range []topology.Role{topology.RoleCore, topology.RoleEdge} {
		for _, state := range []topology.State{topology.StateStarting, topology.StateReady, topology.StateDraining} {
			count[key{role, state}] = 0 // none is a number, too
		}
	}
	for _, n := range m.gossip.Snapshot().Nodes() {
		count[key{n.Role, n.State}]++
	}
	for k, c := range count {
		ch <- prometheus.MustNewConstMetric(nodesDesc, prometheus.GaugeValue, float64(c), string(k.role), string(k.state))
	}
	for _, why := range gossip.Refusals() {
		ch <- prometheus.MustNewConstMetric(refusedDesc, prometheus.CounterValue, float64(m.gossip.Refused(why)), string(why))
	}
}
