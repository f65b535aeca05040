package bench

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"selvedge/simulations/fleet"
)

// scrape is what /metrics says at one moment: values by name and labels.
type scrape fleet.Metrics

// scrapeNode reads the metrics of a node by its admin port.
func scrapeNode(ctx context.Context, admin string) (scrape, error) {
	m, err := fleet.ReadMetrics(ctx, admin)
	return scrape(m), err
}

// since is how much each value grew.
func (s scrape) since(before scrape) scrape {
	out := scrape{}
	for name, v := range s {
		out[name] = v - before[name]
	}
	return out
}

// plus adds the values of another node.
func (s scrape) plus(o scrape) scrape {
	out := scrape{}
	for name, v := range o {
		out[name] = s[name] + v
	}
	return out
}

// within is how many values of a histogram are known to be at most limit: its
// bucket may begin below that.
func (s scrape) within(histogram string, limit float64) (n float64) {
	for name, v := range s {
		label, is := strings.CutPrefix(name, histogram+`_bucket{le="`)
		if !is {
			continue
		}
		if le, err := strconv.ParseFloat(strings.TrimSuffix(label, `"}`), 64); err == nil && le <= limit {
			n = max(n, v)
		}
	}
	return n
}

// bound is an upper bound of quantile q of a histogram, to which the buckets
// are fine enough; of an empty one it is zero.
func (s scrape) bound(histogram string, q float64) (float64, error) {
	all, ok := s[histogram+"_count"]
	if !ok {
		return 0, fmt.Errorf("there is no metric %s", histogram)
	}
	best, found := 0.0, false
	for name, v := range s {
		label, is := strings.CutPrefix(name, histogram+`_bucket{le="`)
		if !is || v < q*all {
			continue
		}
		le, err := strconv.ParseFloat(strings.TrimSuffix(label, `"}`), 64)
		if err != nil {
			return 0, fmt.Errorf("metric %s: %w", name, err)
		}
		if !found || le < best {
			best, found = le, true
		}
	}
	if all == 0 {
		return 0, nil
	}
	return best, nil
}
