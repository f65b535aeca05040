package planet

import (
	"fmt"
	"math"

	"selvedge/simulations/report"
)

// bands is a picture of three tiers over users.
func (x *sections) bands(y string, of func(*Size, int) Band, say func(float64) string) (*report.Plot, error) {
	var ys []float64
	for i := range x.o.Sizes {
		for t := range tiers {
			b := of(&x.o.Sizes[i], t)
			ys = append(ys, b.Low, b.High)
		}
	}
	p := logarithmic("registered users", y, 340, x.s.Users, ys, people, say)
	for t := range tiers {
		var low, mid, high []report.Point
		for i := range x.o.Sizes {
			b := of(&x.o.Sizes[i], t)
			u := x.o.Sizes[i].Users
			low, mid, high = append(low, report.Point{X: u, Y: b.Low}), append(mid, report.Point{X: u, Y: b.Mid}), append(high, report.Point{X: u, Y: b.High})
		}
		if err := p.Band(t, low, high); err != nil {
			return nil, err
		}
		if err := p.Line(tierNames[t], t, false, mid); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// centre is what leaves the centre.
func (x *sections) centre() (report.Section, error) {
	s := report.Section{
		Title: "What the centre sends",
		Text: []string{fmt.Sprintf("At the busiest hour, with as many edges as are enough. Lines are medians of %d draws, bands hold 90 of 100. Most messages go to small rooms, whose members are at a few edges, so a tree of relays saves less than one would think; "+
			"it saves more the more edges there are, and most for rooms that every edge wants (below).", x.s.Draws)},
	}
	p, err := x.bands("out of the centre", func(z *Size, t int) Band { return inBits(z.Egress[t]) }, bits)
	if err := with(&s, "Frames that leave the centre, in bits per second", "Without welcomes, state and copies between cores, which all three have.", p, err); err != nil {
		return s, err
	}
	s.Text = append(s.Text, "Where no number of edges is enough, what relays do is too much: past as many edges in a region as there are logs, more of them don't share it, but are more siblings. The bill then counts as many as sockets and deliveries need.")
	t := report.Table{Caption: "At the busiest hour, the middle of all ranges; edges with the range of 90 of 100 draws", Head: []string{
		"users", "sockets", "publishes/s", "deliveries/s", "regions that want a message", "edges that want it", "edges needed", "CPUs of the centre: Redis", "direct", "relays", "scarcest at the core",
	}}
	for i := range x.o.Sizes {
		z := &x.o.Sizes[i]
		edges := fmt.Sprintf("%s (%s to %s)", amount(z.Edges.Mid), amount(z.Edges.Low), amount(z.Edges.High))
		if z.Enough < 1 {
			edges += fmt.Sprintf("; in %.0f %% of draws no number is enough", 100*(1-z.Enough))
		}
		t.Rows = append(t.Rows, []string{
			people(z.Users), amount(z.Sockets), amount(z.Publishes), amount(z.Deliveries), fmt.Sprintf("%.2f", z.Regions), fmt.Sprintf("%.2f", z.Gateways), edges,
			fmt.Sprintf("%.1f", z.Centre[tierRedis]), fmt.Sprintf("%.1f", z.Centre[tierDirect]), fmt.Sprintf("%.1f", z.Centre[tierRelays]), likely(z.First),
		})
	}
	s.Tables = []report.Table{t}
	return s, nil
}

// likely is the most frequent of all.
func likely(first map[string]float64) string {
	best, part := "", 0.0
	for r := range resources { // in their order, so that it is always the same
		if v := first[r.name()]; v > part {
			best, part = r.name(), v
		}
	}
	return fmt.Sprintf("%s, %.0f %% of draws", best, 100*part)
}

// hotRooms is one room that everybody wants.
func (x *sections) hotRooms() (report.Section, error) {
	s := report.Section{
		Title: "A room that every edge wants",
		Text: []string{"One publish to it, by the number of edges. A broker's channel is one server's, whatever the number of servers, and a server has one CPU for it. A core that sends to each edge has a QUIC link for each. " +
			"With relays the core sends one frame per region, and the busiest region's relay one to each sibling: the wall moves to the relay, where it is a region's edges instead of the world's."},
	}
	t := report.Table{Caption: "A publish of the middle size; publishes per second until a CPU or a network is full, and not only as much as may be", Head: []string{
		"edges", "CPU of the centre, ms: Redis", "direct", "relays", "CPU of the busiest relay, ms", "bytes out of the centre, MB: Redis", "direct", "relays", "publishes/s: Redis", "direct", "relays",
	}}
	var lines [tiers][]report.Point
	var xs, ys []float64
	for _, n := range x.s.Edges {
		h := x.z.hotRoom(n)
		row := []string{fmt.Sprint(n)}
		for _, part := range [][]float64{{h.Centre[0] / 1e3, h.Centre[1] / 1e3, h.Centre[2] / 1e3, h.Relay / 1e3}, {h.Bytes[0] / 1e6, h.Bytes[1] / 1e6, h.Bytes[2] / 1e6}, h.PerSecond[:]} {
			for _, v := range part {
				row = append(row, amount(v))
			}
		}
		t.Rows = append(t.Rows, row)
		xs = append(xs, float64(n))
		for k := range tiers {
			lines[k], ys = append(lines[k], report.Point{X: float64(n), Y: h.PerSecond[k]}), append(ys, h.PerSecond[k])
		}
	}
	plain := func(v float64) string { return fmt.Sprintf("%g", math.Round(v)) }
	p := logarithmic("edges, all of which want it", "publishes per second", 300, xs, ys, plain, plain)
	p.Legend.Left = false
	for k := range tiers {
		if err := p.Line(tierNames[k], k, false, lines[k]); err != nil {
			return s, err
		}
	}
	s.Tables = []report.Table{t}
	return s, with(&s, "How many publishes a second one room can have", "Until the centre, or with relays the busiest relay, is full.", p, nil)
}

func inBits(b Band) Band { return Band{8 * b.Low, 8 * b.Mid, 8 * b.High} }
