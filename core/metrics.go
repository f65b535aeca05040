package core

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"selvedge/topology"
	"selvedge/wire"
	"selvedge/wire/tail"
)

// metrics are a core's counters, beside those of the API.
type metrics struct {
	requests *prometheus.CounterVec
	frames   prometheus.Counter
	bytes    prometheus.Counter
	n        *coreNode
	sentN    atomic.Uint64
}

func newMetrics(reg prometheus.Registerer, n *coreNode) *metrics {
	m := &metrics{
		n:        n,
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "selvedge_core_requests_total", Help: "Questions of edges."}, []string{"kind"}),
	}
	frames := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "selvedge_link_frames_total", Help: "Records on links."}, []string{"direction", "scope"})
	bytes := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "selvedge_link_bytes_total", Help: "Bytes of records on links."}, []string{"direction", "scope"})
	m.frames, m.bytes = frames.WithLabelValues("out", "all"), bytes.WithLabelValues("out", "all")
	reg.MustRegister(m.requests, frames, bytes, &gauges{n: n})
	return m
}

func (m *metrics) queried(kind wire.QueryKind) { m.requests.WithLabelValues(string(kind)).Inc() }

func (m *metrics) sent(_ wire.LogID, kind tail.Kind, n int) {
	m.bytes.Add(float64(n))
	if kind == tail.Frame {
		m.frames.Inc()
		m.sentN.Add(1)
	}
}

// published is how many frames the logs have taken since the start, for rates.
func (m *metrics) published() uint64 {
	var total uint64
	for p := range m.n.log.Logs() {
		total += uint64(m.n.log.End(wire.LogID(p)))
	}
	return total
}

// gauges are read when they are asked for.
type gauges struct{ n *coreNode }

var (
	interestDesc = prometheus.NewDesc("selvedge_core_interest", "Interests that links hold.", nil, nil)
	nodesDesc    = prometheus.NewDesc("selvedge_topology_nodes", "Nodes that gossip knows.", []string{"role", "state"}, nil)
	channelsDesc = prometheus.NewDesc("selvedge_core_channels", "Channels that have frames.", nil, nil)
	expiryDesc   = prometheus.NewDesc("selvedge_cert_expiry_timestamp_seconds", "When the node's certificate expires.", nil, nil)
)

// Describe implements prometheus.Collector.
func (g *gauges) Describe(ch chan<- *prometheus.Desc) {
	ch <- interestDesc
	ch <- nodesDesc
	ch <- channelsDesc
	ch <- expiryDesc
}

// Collect implements prometheus.Collector.
func (g *gauges) Collect(ch chan<- prometheus.Metric) {
	n := 0
	for _, p := range g.n.links.Peers() {
		n += p.Interests
	}
	ch <- prometheus.MustNewConstMetric(interestDesc, prometheus.GaugeValue, float64(n))
	ch <- prometheus.MustNewConstMetric(channelsDesc, prometheus.GaugeValue, float64(g.n.feed.Channels()))
	ch <- prometheus.MustNewConstMetric(expiryDesc, prometheus.GaugeValue, float64(g.n.cfg.Keys.Identity.Expiry().Unix()))
	type key struct {
		role  topology.Role
		state topology.State
	}
	count := map[key]int{}
	for _, node := range g.n.gossip.Snapshot().Nodes() {
		count[key{node.Role, node.State}]++
	}
	for k, c := range count {
		ch <- prometheus.MustNewConstMetric(nodesDesc, prometheus.GaugeValue, float64(c), string(k.role), string(k.state))
	}
}
