package fleet

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Metrics is what /metrics says at one moment: values by name and labels, such as
// `a_total{kind="x"}`.
type Metrics map[string]float64

// ReadMetrics reads the metrics of a node, by the URL of its admin port.
func ReadMetrics(ctx context.Context, admin string) (Metrics, error) {
	return ReadMetricsBy(ctx, http.DefaultClient, admin)
}

// ReadMetricsBy is ReadMetrics by a client of one's own, as of another network.
func ReadMetricsBy(ctx context.Context, c *http.Client, admin string) (m Metrics, err error) {
	err = get(ctx, c, admin+"/metrics", func(r io.Reader) error {
		m, err = ParseMetrics(r)
		return err
	})
	return m, err
}

// ParseMetrics reads Prometheus's text format, without timestamps.
func ParseMetrics(r io.Reader) (Metrics, error) {
	m := Metrics{}
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
		m[line[:at]] = v
	}
	return m, lines.Err()
}

// Labelled are the values of a metric by what stands between the braces.
func (m Metrics) Labelled(name string) map[string]float64 {
	out := map[string]float64{}
	for key, v := range m {
		if labels, ok := strings.CutPrefix(key, name+"{"); ok {
			out[strings.TrimSuffix(labels, "}")] = v
		}
	}
	return out
}

// Sum is the sum of a metric over its labels.
func (m Metrics) Sum(name string) (sum float64) {
	for _, v := range m.Labelled(name) {
		sum += v
	}
	return sum
}

// ReadState reads the state of a node, /varz, by the URL of its admin port.
func ReadState(ctx context.Context, admin string, into any) error {
	return get(ctx, http.DefaultClient, admin+"/varz", func(r io.Reader) error { return json.NewDecoder(r).Decode(into) })
}

// get has read take what a URL answers.
func get(ctx context.Context, c *http.Client, url string, read func(io.Reader) error) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := c.Do(req)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", url, res.Status)
	} else if err = read(res.Body); err != nil {
		err = fmt.Errorf("%s: %w", url, err)
	}
	return errors.Join(err, res.Body.Close())
}
