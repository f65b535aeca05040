package telemetry

import (
	"net/http"
	"regexp"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"selvedge/internal/config"
)

// NewRegistry is a node's registry of metrics: what the process and the runtime
// say of themselves, and selvedge_build_info{version,commit,go}.
func NewRegistry(build config.Build) *prometheus.Registry {
	reg := prometheus.NewRegistry()
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "selvedge_build_info",
		Help:        "1, with the version, commit and toolchain of the binary.",
		ConstLabels: prometheus.Labels{"version": build.Version, "commit": build.Commit, "go": build.Go},
	})
	info.Set(1)
	// Beside the usual: how long the garbage collector stops everything, and
	// what CPU time it takes.
	collection := collectors.GoRuntimeMetricsRule{Matcher: regexp.MustCompile(`^(/sched/pauses/(total|stopping)/gc|/cpu/classes/gc/total):`)}
	reg.MustRegister(info, collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(collection)), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return reg
}

// HTTPMetrics times the calls of an HTTP API. Safe for concurrent use.
type HTTPMetrics struct {
	duration *prometheus.HistogramVec
}

// NewHTTPMetrics registers selvedge_api_request_duration_seconds{call,code}.
// It panics if reg has it already: a node has one.
func NewHTTPMetrics(reg prometheus.Registerer) *HTTPMetrics {
	m := &HTTPMetrics{duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "selvedge_api_request_duration_seconds",
		Help:    "Time from the request's headers to the end of the answer, by call and status code.",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	}, []string{"call", "code"})}
	reg.MustRegister(m.duration)
	return m
}

// Instrument times h under the name call, which is a fixed word such as
// "publish": never a path with an id in it.
func (m *HTTPMetrics) Instrument(call string, h http.Handler) http.Handler {
	return promhttp.InstrumentHandlerDuration(m.duration.MustCurryWith(prometheus.Labels{"call": call}), h)
}
