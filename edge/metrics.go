package edge

import (
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"selvedge/edge/door"
	"selvedge/edge/fanout"
	"selvedge/edge/session"
	"selvedge/edge/upstream"
	"selvedge/internal/node"
	"selvedge/wire"
	"selvedge/wire/link"
	"selvedge/wire/tail"
)

// metrics are an edge's counters. Labels are bounded: never a channel or user.
type metrics struct {
	accepts   *prometheus.CounterVec
	closes    *prometheus.CounterVec
	delivered prometheus.Counter
	withheld  *prometheus.CounterVec
	writes    prometheus.Counter
	delay     prometheus.Histogram
	resumes   *prometheus.CounterVec
	gaps      prometheus.Counter
	goaways   prometheus.Counter
	fills     *prometheus.CounterVec
	asked     *prometheus.CounterVec
	queries   *prometheus.HistogramVec
	near      received // from cores of the edge's region
	far       received // from others
	fed       received // to siblings
	relinks   *prometheus.CounterVec

	// For the console, which wants rates and the newest delay.
	deliveredN, framesN, bytesN, fedN atomic.Uint64
	lastDelay                         atomic.Int64 // nanoseconds

	region string // fixed: the edge's
}

// received counts what links carry.
type received struct{ frames, bytes prometheus.Counter }

// newMetrics registers the metrics of an edge in a region, and each label that is
// known before, since a rate needs two values.
func newMetrics(reg prometheus.Registerer, region string) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		reg.MustRegister(c)
		return c
	}
	linkFrames := counter("selvedge_link_frames_total", "Frames on links.", "direction", "scope")
	linkBytes := counter("selvedge_link_bytes_total", "Bytes of frames, state records and watermarks on links.", "direction", "scope")
	for _, c := range []*prometheus.CounterVec{linkFrames, linkBytes} {
		c.WithLabelValues("out", "ocean") // none ever: siblings are of one region
	}
	m := &metrics{
		region:    region,
		accepts:   counter("selvedge_edge_accepts_total", "Connections that asked for a socket, or came to no request in time, by what came of them.", "result"),
		closes:    counter("selvedge_edge_closes_total", "Sockets closed, by close code; none = without a word.", "code"),
		delivered: counter("selvedge_edge_frames_delivered_total", "Frames handed to sockets.").WithLabelValues(),
		withheld:  counter("selvedge_edge_frames_withheld_total", "Times that a socket began to lag on a log.", "reason"),
		writes:    counter("selvedge_edge_writes_total", "System calls that wrote to sockets.").WithLabelValues(),
		resumes:   counter("selvedge_edge_resumes_total", "Sessions begun.", "result"),
		gaps:      counter("selvedge_edge_gaps_total", "Gaps told to sessions.").WithLabelValues(),
		goaways:   counter("selvedge_edge_goaways_total", "Clients asked to move to another edge.").WithLabelValues(),
		fills:     counter("selvedge_edge_cache_requests_total", "Questions to the core on the cache's behalf.", "kind", "result"),
		asked:     counter("selvedge_edge_welcomes_asked_total", "Sessions that the core was asked for, by what was not known here.", "reason"),
		near:      received{linkFrames.WithLabelValues("in", "region"), linkBytes.WithLabelValues("in", "region")},
		far:       received{linkFrames.WithLabelValues("in", "ocean"), linkBytes.WithLabelValues("in", "ocean")},
		fed:       received{linkFrames.WithLabelValues("out", "region"), linkBytes.WithLabelValues("out", "region")},
		relinks:   counter("selvedge_link_resumes_total", "Logs opened at a link, after where the edge stood, by what made it so.", "reason"),
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
	m.begin()
	return m
}

// begin makes the labels that there will be.
func (m *metrics) begin() {
	for _, r := range []door.Result{
		door.Taken, resultRefused, door.Full, resultUnavailable, door.Busy, door.Refused, door.Shed, door.Failed, door.TimedOut, door.BadTLS, door.BadProxy,
	} {
		m.accepts.WithLabelValues(string(r))
	}
	for _, code := range []wire.CloseCode{
		0, wire.CloseNormal, wire.CloseGoingAway, wire.CloseProtocol, wire.CloseWrongType, wire.CloseBadUTF8, wire.CloseTooLarge,
		wire.CloseReconnect, wire.CloseUnauthorized, wire.CloseExpired, wire.CloseForbidden, wire.CloseMalformed,
		wire.CloseRateLimited, wire.CloseSlow,
	} {
		m.closes.WithLabelValues(codeLabel(code))
	}
	for _, why := range upstream.Reasons() {
		m.relinks.WithLabelValues(string(why))
	}
	for _, result := range []string{"fresh", "resumed", "refused"} {
		m.resumes.WithLabelValues(result)
	}
	for _, result := range []string{"ok", "failed"} {
		m.fills.WithLabelValues("frames", result)
	}
	for _, why := range session.Reasons() {
		m.asked.WithLabelValues(why)
	}
	for _, kind := range []string{"hello", "object", "room", "members", "shares", "search", "history"} {
		for _, result := range []string{"hit", "miss"} {
			m.fills.WithLabelValues(kind, result)
		}
	}
	for _, kind := range []string{wire.TPublish, wire.TGet, wire.TMembers, wire.TSearch, wire.TRooms, wire.THistory} {
		m.queries.WithLabelValues(kind)
	}
	m.withheld.WithLabelValues("slow")
}

// codeLabel is a close code as a label; 0 = without a word.
func codeLabel(code wire.CloseCode) string {
	if code == 0 {
		return "none"
	}
	return strconv.Itoa(int(code))
}

func (m *metrics) upstreamEvents() upstream.Events {
	return upstream.Events{
		Resumed: func(why upstream.Reason) { m.relinks.WithLabelValues(string(why)).Inc() },
		Received: func(region string, records []tail.Record) {
			from := &m.far
			if region == m.region {
				from = &m.near
			}
			frames, bytes := 0, 0
			for i := range records {
				bytes += len(records[i].Bytes)
				if records[i].Kind == tail.Frame {
					frames++
				}
			}
			from.frames.Add(float64(frames))
			from.bytes.Add(float64(bytes))
			m.framesN.Add(uint64(frames))
			m.bytesN.Add(uint64(bytes))
		},
	}
}

// linkEvents are those of the links to siblings.
func (n *edgeNode) linkEvents() link.ServerEvents {
	log := n.cfg.Logger
	return link.ServerEvents{
		Up: func(node, _ string) { log.Info("sibling linked", "edge", node) },
		Down: func(node, _ string, err error) {
			if err == nil {
				log.Info("sibling's link closed", "edge", node)
				return
			}
			log.Info("sibling's link down", "edge", node, "err", err)
		},
		Refused: func(addr net.Addr, err error) { log.Warn("link refused", "addr", addr.String(), "err", err) },
		Sent: func(_ string, kind tail.Kind, bytes int) {
			n.metrics.fed.bytes.Add(float64(bytes))
			n.metrics.fedN.Add(uint64(bytes))
			if kind == tail.Frame {
				n.metrics.fed.frames.Inc()
			}
		},
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
		Closed:   func(code wire.CloseCode) { m.closes.WithLabelValues(codeLabel(code)).Inc() },
		Gap:      m.gaps.Inc, Goaway: m.goaways.Inc,
	}
}

func (m *metrics) sessionEvents() session.Events {
	return session.Events{
		Resume: func(result string) { m.resumes.WithLabelValues(result).Inc() },
		Query:  func(kind string, took time.Duration) { m.queries.WithLabelValues(kind).Observe(took.Seconds()) },
		Fill:   func(result string) { m.fills.WithLabelValues("frames", result).Inc() },
		Cache:  func(kind, result string, n int) { m.fills.WithLabelValues(kind, result).Add(float64(n)) },
		Asked:  func(why string) { m.asked.WithLabelValues(why).Inc() },
	}
}

// gauges registers what is read when it is asked for.
func (n *edgeNode) gauges(reg prometheus.Registerer) {
	reg.MustRegister(lags{n, n.up.End}, node.GossipMetrics(n.gossip))
	gauge := func(name, help string, value func() float64) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	gauge("selvedge_edge_sockets", "Open sockets.", func() float64 { return float64(n.sockets()) })
	gauge("selvedge_edge_sockets_limit", "The most sockets.", func() float64 { return float64(n.limit) })
	n.loadGauges(reg)
	gauge("selvedge_edge_cache_bytes", "What the cache holds, of frames, documents and memberships.", func() float64 {
		if w := n.world.Load(); w != nil {
			return float64(w.cache.Bytes()) + float64(w.sessions.StateBytes())
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
	gauge("selvedge_edge_accepts_waiting", "Clients that have asked for a socket and wait for their turn.", func() float64 {
		if d := n.door.Load(); d != nil {
			return float64(d.Waiting())
		}
		return 0
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
