package api

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	corelog "selvedge/core/log"
	"selvedge/wire"
)

// publishMetrics count publishes by what became of them. Signals are not among
// them: nothing is kept.
type publishMetrics struct {
	results  *prometheus.CounterVec
	duration prometheus.Histogram
}

func newPublishMetrics(reg prometheus.Registerer) publishMetrics {
	m := publishMetrics{
		results: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "selvedge_core_publishes_total",
			Help: "Publishes of backends, by result: ok, duplicate, conflict, too_large, unavailable, error.",
		}, []string{"result"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "selvedge_core_publish_duration_seconds",
			Help:    "Time until the log has acknowledged a publish.",
			Buckets: []float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5},
		}),
	}
	reg.MustRegister(m.results, m.duration)
	return m
}

// append appends post and counts it.
func (a *api) append(ctx context.Context, publisher string, post *wire.Post) (corelog.Placed, error) {
	start := time.Now() // a duration, not a date: Config.Now is for dates
	placed, err := a.Publisher.Publish(ctx, publisher, post)
	a.publishes.duration.Observe(time.Since(start).Seconds())
	a.publishes.results.WithLabelValues(result(placed, err)).Inc()
	return placed, err
}

func result(placed corelog.Placed, err error) string {
	switch {
	case err == nil && placed.Duplicate:
		return "duplicate"
	case err == nil:
		return "ok"
	case errors.Is(err, corelog.ErrIDReused):
		return "conflict"
	case errors.Is(err, corelog.ErrTooLarge):
		return "too_large"
	case errors.Is(err, corelog.ErrUnavailable):
		return "unavailable"
	}
	return "error"
}
