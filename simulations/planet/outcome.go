package planet

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// Band is an uncertain figure: 5, 50 and 95 of 100 draws are below.
type Band struct {
	Low  float64 `json:"p5"`
	Mid  float64 `json:"p50"`
	High float64 `json:"p95"`
}

func bandOf(values []float64) Band {
	slices.Sort(values)
	at := func(q float64) float64 { return values[min(int(q*float64(len(values))), len(values)-1)] }
	return Band{at(0.05), at(0.5), at(0.95)}
}

// Size is what a cluster of so many users does and needs, with as many edges as are
// enough.
type Size struct {
	Users      float64            `json:"users"`
	Sockets    float64            `json:"sockets"` // at the busiest hour, as are these:
	Publishes  float64            `json:"publishes_per_s"`
	Deliveries float64            `json:"deliveries_per_s"`
	Regions    float64            `json:"regions_per_publish"`
	Gateways   float64            `json:"edges_per_publish"`
	Edges      Band               `json:"edges"`
	Enough     float64            `json:"enough"` // of all draws, where edges within Scenario.MostEdges are enough
	Egress     [tiers]Band        `json:"egress"` // out of the centre, bytes/s
	Million    [tiers]Band        `json:"usd_per_million_users_and_month"`
	Fanout     [tiers]Band        `json:"fanout_usd_per_million_users_and_month"` // without what is the same in all
	Bills      [tiers]bill        `json:"bills_usd_per_month"`                    // of the middle
	Centre     [tiers]float64     `json:"centre_cpus"`                            // of the middle
	First      map[string]float64 `json:"first"`                                  // what is scarcest at the core: the part of draws
}

// Outcome is what the model says.
type Outcome struct {
	Sizes []Size    `json:"sizes"`
	Grid  [][]needs `json:"grid"` // by Scenario.Users and .Edges: of each resource
	Names []string  `json:"resources"`
	Ends  []end     `json:"ends"`
	Most  int       `json:"ends_with_edges"`
	Sway  []sway    `json:"sensitivity"`
	At    float64   `json:"sensitivity_at_users"`
	Home  []int     `json:"edges_by_region"`
}

// reckon asks the model everything.
func reckon(ctx context.Context, s *Scenario, c *Costs, seed uint64, progress io.Writer) (*Outcome, error) {
	a, err := newAtlas(s)
	if err != nil {
		return nil, err
	}
	f := middle(s, c)
	z := &sizing{s, a, &f}
	o := &Outcome{Most: s.Edges[len(s.Edges)-1], At: s.Users[len(s.Users)/2]}
	for r := range resources {
		o.Names = append(o.Names, r.name())
	}
	days := make([][]flow, len(s.Edges))
	for i, edges := range s.Edges {
		days[i] = a.day(&f, a.spread(edges))
	}
	for _, users := range s.Users {
		var row []needs
		for i, edges := range s.Edges {
			row = append(row, z.needs(days[i], users, a.spread(edges)))
		}
		o.Grid = append(o.Grid, row)
	}
	o.Ends, o.Home = z.ends(o.Most), a.spread(o.Most)
	for i, users := range s.Users {
		if _, err := fmt.Fprintf(progress, "simulate planet: %s users, %d draws (%d of %d)\n", people(users), s.Draws, i+1, len(s.Users)); err != nil {
			return nil, err
		}
		size, err := z.size(ctx, c, users, seed)
		if err != nil {
			return nil, err
		}
		o.Sizes = append(o.Sizes, size)
	}
	o.Sway, err = sways(ctx, s, c, a, o.At, o.Most)
	return o, err
}

// sample is one draw.
type sample struct {
	edges                   float64
	enough                  bool
	egress, million, fanout [tiers]float64
	first                   Resource
}

// size draws many worlds of so many users. A draw's dice are its own, so the order in
// which they are reckoned doesn't matter.
func (z *sizing) size(ctx context.Context, c *Costs, users float64, seed uint64) (Size, error) {
	out := z.middleSize(users)
	samples := make([]sample, z.s.Draws)
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range runtime.GOMAXPROCS(0) {
		g.Go(func() error {
			for i := int(next.Add(1)) - 1; i < len(samples); i = int(next.Add(1)) - 1 {
				if err := ctx.Err(); err != nil {
					return err
				}
				f := draw(z.s, c, rand.New(rand.NewPCG(seed, uint64(i))))
				samples[i] = (&sizing{z.s, z.a, &f}).sample(users)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return out, err
	}
	column := func(of func(*sample) float64) Band {
		var values []float64
		for i := range samples {
			values = append(values, of(&samples[i]))
		}
		return bandOf(values)
	}
	out.Edges = column(func(s *sample) float64 { return s.edges })
	for t := range tiers {
		out.Egress[t] = column(func(s *sample) float64 { return s.egress[t] })
		out.Million[t] = column(func(s *sample) float64 { return s.million[t] })
		out.Fanout[t] = column(func(s *sample) float64 { return s.fanout[t] })
	}
	enough, first := 0, [resources]int{}
	for i := range samples {
		first[samples[i].first]++
		if samples[i].enough {
			enough++
		}
	}
	part := func(n int) float64 { return float64(n) / float64(len(samples)) }
	out.Enough, out.First = part(enough), map[string]float64{}
	for r, n := range first {
		if n > 0 {
			out.First[Resource(r).name()] = part(n)
		}
	}
	return out, nil
}

func (z *sizing) sample(users float64) (out sample) {
	x := z.fleet(users)
	out.edges, out.enough = float64(x.edges), x.ok
	for t := range tiers {
		b := z.bill(t, &x, users)
		out.egress[t] = z.egress(t, &x, users)
		out.million[t], out.fanout[t] = b.sum()/users*1e6, b.fanout()/users*1e6
	}
	n := z.needs(x.day, users, x.per)
	out.first = n.first(edgeResources...) // edges were added until there are enough of these
	return out
}

// middleSize is the world of the middle figures.
func (z *sizing) middleSize(users float64) Size {
	x := z.fleet(users)
	out := Size{Users: users}
	for h := range x.day {
		w := &x.day[h]
		sockets, deliveries := 0.0, 0.0
		for r := range w.in {
			sockets, deliveries = sockets+w.in[r].sockets, deliveries+w.in[r].deliveries
		}
		out.Sockets, out.Deliveries = max(out.Sockets, users*sockets), max(out.Deliveries, users*deliveries)
		if users*w.publishes > out.Publishes {
			out.Publishes = users * w.publishes
			out.Regions, out.Gateways = w.frames/w.publishes, w.gates/w.publishes
		}
		for t := range tiers {
			out.Centre[t] = max(out.Centre[t], z.centreCPU(t, w, users))
		}
	}
	for t := range tiers {
		out.Bills[t] = z.bill(t, &x, users)
	}
	return out
}

// people is a number of them, for people.
func people(n float64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.3g billion", n/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.3g million", n/1e6)
	}
	return fmt.Sprintf("%.0f", n)
}
