package bench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// scrape is what /metrics says at one moment: values by name and labels.
type scrape map[string]float64

// scrapeNode reads the metrics of a node by its admin port.
func scrapeNode(ctx context.Context, admin string) (scrape, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, admin+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s/metrics: %s", admin, res.Status)
	}
	return parseMetrics(res.Body)
}

// parseMetrics reads Prometheus's text format, without timestamps.
func parseMetrics(r io.Reader) (scrape, error) {
	s := scrape{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := lines.Text()
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || line[0] == '#' {
			continue
		}
		v, err := strconv.ParseFloat(line[at+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("metrics: %q: %w", line, err)
		}
		s[line[:at]] = v
	}
	return s, lines.Err()
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
