package core

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"selvedge/internal/node"
	"selvedge/wire"
	"selvedge/wire/tail"
)

// metrics are a core's counters, beside those of the API.
type metrics struct {
	requests *prometheus.CounterVec
	near     sent // to edges of the core's region
	far      sent // to others
	n        *coreNode
}

// sent counts what links carry.
type sent struct {
	frames, bytes prometheus.Counter
	total         *atomic.Uint64 // bytes, to be read
}

func newMetrics(reg prometheus.Registerer, n *coreNode) *metrics {
	m := &metrics{
		n:        n,
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "selvedge_core_requests_total", Help: "Questions of edges."}, []string{"kind"}),
	}
	frames := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "selvedge_link_frames_total", Help: "Frames on links."}, []string{"direction", "scope"})
	bytes := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "selvedge_link_bytes_total", Help: "Bytes of frames, state records and watermarks on links."}, []string{"direction", "scope"})
	m.near = sent{frames.WithLabelValues("out", "region"), bytes.WithLabelValues("out", "region"), new(atomic.Uint64)}
	m.far = sent{frames.WithLabelValues("out", "ocean"), bytes.WithLabelValues("out", "ocean"), new(atomic.Uint64)}
	for _, kind := range []wire.QueryKind{
		wire.QHello, wire.QFill, wire.QHistory, wire.QMembers, wire.QRooms, wire.QGet, wire.QShares, wire.QRoster, wire.QRoom, wire.QPublish,
	} {
		m.requests.WithLabelValues(string(kind)) // there from the start: a rate needs two values
	}
	reg.MustRegister(m.requests, frames, bytes, &gauges{n: n}, node.GossipMetrics(n.gossip))
	return m
}

func (m *metrics) queried(kind wire.QueryKind) { m.requests.WithLabelValues(string(kind)).Inc() }

// sent counts a record that goes to an edge of a region.
func (m *metrics) sent(region string, kind tail.Kind, n int) {
	to := &m.far
	if region == m.n.cfg.Region.Name {
		to = &m.near
	}
	to.bytes.Add(float64(n))
	to.total.Add(uint64(n))
	if kind == tail.Frame {
		to.frames.Inc()
	}
}

// bytes is what links have carried to edges of the core's region, and to others.
func (m *metrics) bytes() (region, ocean uint64) { return m.near.total.Load(), m.far.total.Load() }

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
	channelsDesc = prometheus.NewDesc("selvedge_core_channels", "Channels that have frames.", nil, nil)
	expiryDesc   = prometheus.NewDesc("selvedge_cert_expiry_timestamp_seconds", "When the node's certificate expires.", nil, nil)
)

// Describe implements prometheus.Collector.
func (g *gauges) Describe(ch chan<- *prometheus.Desc) {
	ch <- interestDesc
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
}
