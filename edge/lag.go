package edge

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"selvedge/wire"
)

// lags tell how far this edge is behind the end of each log: what the log's core
// told last, each second, less what this edge has taken from the log's stream and
// handed to its sockets. A log's positions count frames of all channels, of which an
// edge gets those that it wants, so it is as many frames at most. Without a link
// nothing is heard of new frames: readiness tells that.
type lags struct {
	n   *edgeNode
	end func(wire.LogID) wire.Seq // as far as was heard
}

var lagDesc = prometheus.NewDesc("selvedge_edge_log_lag_frames",
	"How many frames of a log its core had, when it last told, that this edge has yet to take.", []string{"log"}, nil)

// Describe implements prometheus.Collector.
func (lags) Describe(ch chan<- *prometheus.Desc) { ch <- lagDesc }

// Collect implements prometheus.Collector.
func (l lags) Collect(ch chan<- prometheus.Metric) {
	w := l.n.world.Load()
	if w == nil {
		return // the logs are not known yet
	}
	tell := func(log string, p wire.LogID, at wire.Seq) {
		behind := max(l.end(p), at) - at
		ch <- prometheus.MustNewConstMetric(lagDesc, prometheus.GaugeValue, float64(behind), log)
	}
	for p := range w.cache.Logs() {
		tell(strconv.Itoa(p), wire.LogID(p), w.cache.Log(wire.LogID(p)).Pos())
	}
	tell("state", wire.StateLog, w.sessions.Position())
}
