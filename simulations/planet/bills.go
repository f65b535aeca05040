package planet

import (
	"fmt"
	"strings"

	"selvedge/simulations/report"
)

// money is what users cost.
func (x *sections) money() (report.Section, error) {
	s := report.Section{
		Title: "What a million users cost",
		Text: []string{
			"A month, in US dollars at list prices, of registered users. Edges, what goes to clients, balancers and the memory for state are the same in all three, and most of the bill; so the second picture has only what the tiers differ in: the centre's CPUs, what crosses oceans, and what edges of a region send each other. " +
				"Redis keeps no messages; the other two do, and have copies of them.",
			x.cheaper(),
		},
	}
	usd := func(v float64) string { return "$" + dollars(v) }
	p, err := x.bands("USD a month for a million users", func(z *Size, t int) Band { return z.Million[t] }, usd)
	if err := with(&s, "Everything", "Per million registered users; medians, and 90 of 100 draws. Below the smallest fleet, two edges in each region, users share what is not used.", p, err); err != nil {
		return s, err
	}
	p, err = x.bands("USD a month for a million users", func(z *Size, t int) Band { return z.Fanout[t] }, usd)
	if err := with(&s, "The centre, oceans, and between edges", "Only what the tiers differ in.", p, err); err != nil {
		return s, err
	}
	t := report.Table{Caption: "The middle of all ranges: USD a month", Head: []string{"users, tier", "edges", "state", "centre", "oceans", "between edges", "to clients", "balancers", "together", "for a million users", "90 of 100 draws"}}
	for i := range x.o.Sizes {
		z := &x.o.Sizes[i]
		for k := range tiers {
			b := z.Bills[k]
			t.Rows = append(t.Rows, []string{
				people(z.Users) + ", " + tierNames[k], dollars(b.Edges), dollars(b.State), dollars(b.Centre), dollars(b.Ocean), dollars(b.Region), dollars(b.Clients), dollars(b.Balancer), dollars(b.sum()), dollars(b.sum() / z.Users * 1e6),
				dollars(z.Million[k].Low) + " to " + dollars(z.Million[k].High),
			})
		}
	}
	s.Tables = []report.Table{t}
	return s, nil
}

// cheaper says what relays do to the bill, as the figures have it.
func (x *sections) cheaper() string {
	z := &x.o.Sizes[len(x.o.Sizes)-1]
	direct, relays := z.Bills[tierDirect], z.Bills[tierRelays]
	less, verb := direct.fanout()-relays.fanout(), "save"
	if less < 0 {
		less, verb = -less, "cost"
	}
	return fmt.Sprintf("Relays %s %s dollars a month at %s users, %.2g %% of the bill: they take %s from the oceans and %s from the centre, and add %s between edges, since a cloud asks for bytes between its zones, too, and a frame goes to several edges there. "+
		"What they are for is that the centre and its ways don't grow with the number of edges.", verb, dollars(less), people(z.Users), 100*less/direct.sum(), dollars(direct.Ocean-relays.Ocean), dollars(direct.Centre-relays.Centre), dollars(relays.Region))
}

// matters is the sensitivity.
func (x *sections) matters() (report.Section, error) {
	s := report.Section{
		Title: "Which assumption matters",
		Text:  []string{fmt.Sprintf("Each figure halved and doubled, the others in their middle, at %s users: what a million users cost with relays, how many edges are needed, and where one cluster ends with %d edges. Sorted by the largest change of any. Parts of a whole are doubled to the whole at most.", people(x.o.At), x.o.Most)},
	}
	const shown = 12
	var names []string
	values := [][]float64{nil, nil}
	var still []string
	t := report.Table{Caption: "Halved, as it is, doubled; those that move any answer by more than a hundredth", Head: []string{"figure", "as it is", "USD a month for a million users", "", "", "edges", "", "", "one cluster ends at", "", ""}}
	for _, w := range x.o.Sway {
		if w.moves() < 1.01 {
			still = append(still, w.Name)
			continue
		}
		if len(names) < shown {
			names = append(names, w.Name)
			values[0], values[1] = append(values[0], w.USD[0]), append(values[1], w.USD[2])
		}
		row := []string{w.Name, fmt.Sprintf("%.4g", w.Value)}
		for _, v := range w.USD {
			row = append(row, dollars(v))
		}
		for _, v := range w.Edges {
			row = append(row, amount(v))
		}
		for _, v := range w.Ends {
			row = append(row, people(v))
		}
		t.Rows = append(t.Rows, row)
	}
	s.Text = append(s.Text, "Moving none of the answers by a hundredth: "+strings.Join(still, ", ")+".")
	s.Tables = []report.Table{t}
	p, err := report.Bars("USD a month for a million users", names, []string{"halved", "doubled"}, values)
	return s, with(&s, "Cost when a figure is halved or doubled", "The figures that move any of the answers most. Two bars of the same height: it doesn't matter for the cost.", p, err)
}
