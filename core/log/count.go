package log

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"selvedge/wire"
)

// Counted is a Store whose publishes are counted, whoever makes them. Its
// methods are safe for concurrent use.
type Counted struct {
	to interface {
		Publish(ctx context.Context, publisher string, post *wire.Post) (Placed, error)
	}
	results  *prometheus.CounterVec
	duration prometheus.Histogram
}

// Count counts the publishes to a Store, or what stands for one, and registers
// the metrics.
func Count(to interface {
	Publish(ctx context.Context, publisher string, post *wire.Post) (Placed, error)
}, reg prometheus.Registerer,
) *Counted {
	c := &Counted{
		to: to,
		results: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "selvedge_core_publishes_total",
			Help: "Publishes of backends and clients, by result: ok, duplicate, conflict, too_large, unavailable, error.",
		}, []string{"result"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "selvedge_core_publish_duration_seconds",
			Help:    "Time until the log has acknowledged a publish.",
			Buckets: []float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5},
		}),
	}
	reg.MustRegister(c.results, c.duration)
	for _, r := range []string{"ok", "duplicate", "conflict", "too_large", "unavailable", "error"} {
		c.results.WithLabelValues(r) // there from the start: a rate needs two values
	}
	return c
}

// Publish is Store.Publish.
func (c *Counted) Publish(ctx context.Context, publisher string, post *wire.Post) (Placed, error) {
	start := time.Now()
	placed, err := c.to.Publish(ctx, publisher, post)
	c.duration.Observe(time.Since(start).Seconds())
	c.results.WithLabelValues(result(placed, err)).Inc()
	return placed, err
}

func result(placed Placed, err error) string {
	switch {
	case err == nil && placed.Duplicate:
		return "duplicate"
	case err == nil:
		return "ok"
	case errors.Is(err, ErrIDReused):
		return "conflict"
	case errors.Is(err, ErrTooLarge):
		return "too_large"
	case errors.Is(err, ErrUnavailable):
		return "unavailable"
	}
	return "error"
}
