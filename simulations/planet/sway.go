package planet

import (
	"cmp"
	"context"
	"math"
	"slices"
)

// sway is what one figure, halved and doubled, makes of the answer.
type sway struct {
	Name  string     `json:"name"`
	Value float64    `json:"value"`
	USD   [3]float64 `json:"usd_per_million_users_and_month"` // halved, as it is, doubled
	Edges [3]float64 `json:"edges"`
	Ends  [3]float64 `json:"users_where_the_core_ends"` // 0 = nowhere
}

// by is how far the figure moves the cost, as the larger of both factors.
func (w *sway) by() float64 {
	factor := func(v float64) float64 { return max(v/w.USD[1], w.USD[1]/v) }
	return max(factor(w.USD[0]), factor(w.USD[2]))
}

// moves is the same of all three answers.
func (w *sway) moves() float64 {
	most := w.by()
	for _, of := range [][3]float64{w.Edges, w.Ends} {
		for _, i := range []int{0, 2} {
			if of[i] > 0 && of[1] > 0 {
				most = max(most, of[i]/of[1], of[1]/of[i])
			}
		}
	}
	return most
}

// sways halves and doubles each figure, the others in the middle, and sorts by what it
// does to the cost. Parts of a whole are doubled to the whole at most.
func sways(ctx context.Context, s *Scenario, c *Costs, a *atlas, users float64, edges int) ([]sway, error) {
	var out []sway
	answer := func(s *Scenario, c *Costs, w *sway, i int) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		f := middle(s, c)
		z := &sizing{s, a, &f}
		x := z.fleet(users)
		w.USD[i], w.Edges[i] = z.bill(tierRelays, &x, users).sum()/users*1e6, float64(x.edges)
		w.Ends[i] = z.coreEnd(edges)
		return nil
	}
	var base sway
	if err := answer(s, c, &base, 1); err != nil {
		return nil, err
	}
	vary := func(name string, value float64, with func(factor float64) (*Scenario, *Costs)) error {
		w := base
		w.Name, w.Value = name, value
		for i, factor := range map[int]float64{0: 0.5, 2: 2} {
			s, c := with(factor)
			if err := answer(s, c, &w, i); err != nil {
				return err
			}
		}
		out = append(out, w)
		return nil
	}
	for i, k := range s.People.all() {
		err := vary(k.name, k.of.Mid, func(factor float64) (*Scenario, *Costs) {
			changed := *s
			r := changed.People.all()[i]
			r.of.Mid = min(r.of.Mid*factor, r.most)
			return &changed, c
		})
		if err != nil {
			return nil, err
		}
	}
	for i, k := range c.Each.all() {
		err := vary(k.name, k.cost.Value, func(factor float64) (*Scenario, *Costs) {
			changed := *c
			changed.Each.all()[i].cost.Value *= factor
			return s, &changed
		})
		if err != nil {
			return nil, err
		}
	}
	for _, k := range []struct {
		name string
		of   func(*Scenario) *float64
	}{
		{"target", func(s *Scenario) *float64 { return &s.Target }},
		{"edge_machine.sockets", func(s *Scenario) *float64 { return &s.EdgeMachine.Sockets }},
		{"core_machine.gib", func(s *Scenario) *float64 { return &s.CoreMachine.GiB }},
	} {
		err := vary(k.name, *k.of(s), func(factor float64) (*Scenario, *Costs) {
			changed := *s
			*k.of(&changed) *= factor
			return &changed, c
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(out, func(a, b sway) int { return cmp.Compare(b.moves(), a.moves()) })
	return out, nil
}

// coreEnd is coreEnd of z's ends: what needs follow users, and so can be divided.
func (z *sizing) coreEnd(edges int) float64 {
	per := z.a.spread(edges)
	n := z.needs(z.a.day(z.f, per), 1, per)
	return 1 / n[n.first(edgeResources...)]
}

// coreEnd is the first of the ends of what runs that more edges don't move.
func coreEnd(all []end) end {
	best := end{Users: math.Inf(1)}
	for _, e := range all {
		if e.Users > 0 && e.Users < best.Users && e.Resource != StateRebuild && !slices.Contains(edgeResources, e.Resource) {
			best = e
		}
	}
	if math.IsInf(best.Users, 1) {
		return end{}
	}
	return best
}
