package storm

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"selvedge/simulations/fleet"
	"selvedge/simulations/world"
)

// Metrics of nodes that are read.
const (
	requestsMetric = "selvedge_core_requests_total"
	acceptsMetric  = "selvedge_edge_accepts_total"
	waitingMetric  = "selvedge_edge_accepts_waiting"
	socketsMetric  = "selvedge_edge_sockets"
)

// counts are what nodes counted so far.
type counts struct {
	requests map[string]float64 // of the core, by kind
	accepts  map[string]float64 // of all edges, by result
	waiting  []float64          // by edge
	sockets  []float64          // by edge
}

// count adds a core's and edges' metrics up; nil = that edge is dead.
func count(core fleet.Metrics, edges []fleet.Metrics) counts {
	c := counts{requests: labels(core, requestsMetric), accepts: map[string]float64{}}
	for _, e := range edges {
		for result, n := range labels(e, acceptsMetric) {
			c.accepts[result] += n
		}
		c.waiting = append(c.waiting, e[waitingMetric])
		c.sockets = append(c.sockets, e[socketsMetric])
	}
	return c
}

// labels are the values of a metric that has one label, by that.
func labels(m fleet.Metrics, name string) map[string]float64 {
	out := map[string]float64{}
	for pair, v := range m.Labelled(name) {
		_, value, _ := strings.Cut(pair, "=")
		out[strings.Trim(value, `"`)] += v
	}
	return out
}

// grew is what was counted since before, of what was counted at all.
func grew(now, before map[string]float64) map[string]int {
	out := map[string]int{}
	for k, v := range now {
		if d := int(v - before[k]); d > 0 {
			out[k] = d
		}
	}
	return out
}

func sum(m map[string]float64) (all float64) {
	for _, v := range m {
		all += v
	}
	return all
}

// told are counts in words, the most first.
func told(m map[string]int) string {
	if len(m) == 0 {
		return "none"
	}
	keys := slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		if m[a] != m[b] {
			return m[b] - m[a]
		}
		return strings.Compare(a, b)
	})
	var parts []string
	for _, k := range keys {
		parts = append(parts, fmt.Sprintf("%d %s", m[k], k))
	}
	return strings.Join(parts, ", ")
}

// Moment is what there was at one.
type Moment struct {
	At       float64 `json:"at_s"` // since the storm began
	Sockets  []int   `json:"sockets"`
	Waiting  int     `json:"waiting"` // in the edges' lines
	Refused  int     `json:"refused"` // by then, with Retry-After and at accept
	Away     int     `json:"away"`    // clients that know that they are not connected
	Requests int     `json:"core_requests"`
}

// moment is one, at a time since the storm began.
func (c *counts) moment(at time.Duration, away int) Moment {
	m := Moment{At: seconds(at), Away: away, Requests: int(sum(c.requests)), Refused: int(c.accepts["rate"] + c.accepts["shed"])}
	for i := range c.sockets {
		m.Sockets = append(m.Sockets, int(c.sockets[i]))
		m.Waiting += int(c.waiting[i])
	}
	return m
}

// look reads what all nodes of the office's world counted, at once: an ocean may be
// between them.
func (o *office) look(ctx context.Context) (counts, error) {
	nodes := append([]*world.Node{o.w.Cores[0]}, o.w.Edges...)
	read := make([]fleet.Metrics, len(nodes))
	g, ctx := errgroup.WithContext(ctx)
	for i, n := range nodes {
		g.Go(func() (err error) {
			read[i], err = fleet.ReadMetricsBy(ctx, o.http, fmt.Sprintf("http://%v", n.Host.Addr(world.AdminPort)))
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return counts{}, err
	}
	return count(read[0], read[1:]), nil
}

// lookTime is between two looks at the nodes.
const lookTime = 500 * time.Millisecond

// watch notes what there is, until ctx ends.
func (o *office) watch(ctx context.Context, begin time.Duration) {
	every(ctx, lookTime, func() {
		if c, err := o.look(ctx); err == nil { // else there is a gap in the line
			_, away, _ := o.rec.state()
			o.line = append(o.line, c.moment(o.w.Net.Since()-begin, away))
		}
	})
}

// every does something now and each step from now, until ctx ends. What takes longer than
// a step misses some of them.
func every(ctx context.Context, step time.Duration, do func()) {
	t := time.NewTicker(step)
	defer t.Stop()
	for {
		do()
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}
