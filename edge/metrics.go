package edge

import (
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"selvedge/edge/fanout"
	"selvedge/edge/session"
	"selvedge/wire"
	"selvedge/wire/tail"
)

// metrics are an edge's counters. Labels are bounded: never a channel or user.
type metrics struct {
	accepts    *prometheus.CounterVec
	closes     *prometheus.CounterVec
	delivered  prometheus.Counter
	withheld   *prometheus.CounterVec
	writes     prometheus.Counter
	delay      prometheus.Histogram
	resumes    *prometheus.CounterVec
	gaps       prometheus.Counter
	goaways    prometheus.Counter
	fills      *prometheus.CounterVec
	queries    *prometheus.HistogramVec
	linkFrames *prometheus.CounterVec
	linkBytes  *prometheus.CounterVec
	relinks    *prometheus.CounterVec

	// For the console, which wants rates and the newest delay.
	deliveredN, framesN, bytesN atomic.Uint64
	lastDelay                   atomic.Int64 // nanoseconds

	scope atomic.Pointer[string] // of the present link: "region" or "ocean"
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		reg.MustRegister(c)
		return c
	}
	m := &metrics{
		accepts:    counter("selvedge_edge_accepts_total", "Connections that asked for a socket, or came to no request in time, by what came of them.", "result"),
		closes:     counter("selvedge_edge_closes_total", "Sockets closed, by close code; none = without a word.", "code"),
		delivered:  counter("selvedge_edge_frames_delivered_total", "Frames handed to sockets.").WithLabelValues(),
		withheld:   counter("selvedge_edge_frames_withheld_total", "Times that a socket began to lag on a log.", "reason"),
		writes:     counter("selvedge_edge_writes_total", "System calls that wrote to sockets.").WithLabelValues(),
		resumes:    counter("selvedge_edge_resumes_total", "Sessions begun.", "result"),
		gaps:       counter("selvedge_edge_gaps_total", "Gaps told to sessions.").WithLabelValues(),
		goaways:    counter("selvedge_edge_goaways_total", "Clients asked to move to another edge.").WithLabelValues(),
		fills:      counter("selvedge_edge_cache_requests_total", "Questions to the core on the cache's behalf.", "kind", "result"),
		linkFrames: counter("selvedge_link_frames_total", "Records on links.", "direction", "scope"),
		linkBytes:  counter("selvedge_link_bytes_total", "Bytes of records on links.", "direction", "scope"),
		relinks:    counter("selvedge_link_resumes_total", "Links that were made anew.", "reason"),
		delay: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "selvedge_edge_delivery_seconds",
			Help:    "Time from the core's acceptance of a frame to its hand-over to sockets, corrected by the clock offset; one observation per frame and shard.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 16),
		}),
		queries: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "selvedge_edge_query_duration_seconds", Help: "Time to answer a client's request.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 15),
		}, []string{"kind"}),
	}
	reg.MustRegister(m.delay, m.queries)
	m.setScope("region")
	return m
}

func (m *metrics) setScope(s string) { m.scope.Store(&s) }

// received counts a record that came down the link.
func (m *metrics) received(_ wire.LogID, kind tail.Kind, n int) {
	scope := *m.scope.Load()
	m.linkBytes.WithLabelValues("in", scope).Add(float64(n))
	m.bytesN.Add(uint64(n))
	if kind == tail.Frame {
		m.linkFrames.WithLabelValues("in", scope).Inc()
		m.framesN.Add(1)
	}
}

func (m *metrics) engineEvents(offset func() time.Duration) fanout.Events {
	return fanout.Events{
		Delivered: func(n int) {
			m.delivered.Add(float64(n))
			m.deliveredN.Add(uint64(n))
		},
		Delay: func(ts int64, _ int) {
			d := time.Since(time.UnixMilli(ts)) + offset()
			m.delay.Observe(d.Seconds())
			m.lastDelay.Store(int64(d))
		},
		Writes:   func(n int) { m.writes.Add(float64(n)) },
		Withheld: func(reason string) { m.withheld.WithLabelValues(reason).Inc() },
		Closed: func(code wire.CloseCode) {
			label := "none"
			if code != 0 {
				label = strconv.Itoa(int(code))
			}
			m.closes.WithLabelValues(label).Inc()
		},
		Gap: m.gaps.Inc, Goaway: m.goaways.Inc,
	}
}

func (m *metrics) sessionEvents() session.Events {
	return session.Events{
		Resume: func(result string) { m.resumes.WithLabelValues(result).Inc() },
		Query:  func(kind string, took time.Duration) { m.queries.WithLabelValues(kind).Observe(took.Seconds()) },
		Fill:   func(result string) { m.fills.WithLabelValues("frames", result).Inc() },
	}
}

// gauges registers what is read when it is asked for.
func (n *edgeNode) gauges(reg prometheus.Registerer) {
	gauge := func(name, help string, value func() float64) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	gauge("selvedge_edge_sockets", "Open sockets.", func() float64 { return float64(n.sockets()) })
	gauge("selvedge_edge_sockets_limit", "The most sockets.", func() float64 { return float64(n.limit) })
	gauge("selvedge_edge_cache_bytes", "What the cache of frames holds.", func() float64 {
		if w := n.world.Load(); w != nil {
			return float64(w.cache.Bytes())
		}
		return 0
	})
	gauge("selvedge_link_rtt_seconds", "Round trip to the upstream.", func() float64 {
		_, rtt, _, _ := n.up.Status()
		return rtt.Seconds()
	})
	gauge("selvedge_link_clock_offset_seconds", "How far the upstream's clock is ahead of ours.", func() float64 {
		return n.clockOffset().Seconds()
	})
	gauge("selvedge_cert_expiry_timestamp_seconds", "When the node's certificate expires.", func() float64 {
		return float64(n.cfg.Keys.Identity.Expiry().Unix())
	})
	gauge("selvedge_edge_handshakes", "Connections that are no sockets yet.", func() float64 {
		if d := n.door.Load(); d != nil {
			return float64(d.Handshakes())
		}
		return 0
	})
	if n.cfg.TLS != nil {
		gauge("selvedge_edge_tls_expiry_timestamp_seconds", "When the certificate of the public port expires.", func() float64 {
			return float64(n.cfg.TLS.Expiry().Unix())
		})
	}
}
