package geo

import (
	"fmt"
	"time"

	"selvedge/simulations/report"
)

// picture draws one.
func picture(title, alt string, p *report.Plot, err error) (report.Figure, error) {
	if err != nil {
		return report.Figure{}, fmt.Errorf("%s: %w", title, err)
	}
	svg, err := p.SVG(title + ". " + alt)
	return report.Figure{Title: title, Alt: alt, SVG: svg}, err
}

// wherever is what each region sees, with edges nearby.
func wherever(a *atlas, all results) (report.Section, error) {
	o := all[nearest]
	s := report.Section{
		Title: "To every region",
		Text: []string{fmt.Sprintf("%d messages of %d bytes from publishers in all regions, to %d clients, %d in each. An edge's times are sourced: they rest on the table of round trips. "+
			"What comes after it, from the edge to a client, rests on assumed last miles.", o.Published, o.plan.scenario.MessageBytes, o.Clients, o.plan.clients)},
	}
	var places []report.Place
	for i, r := range o.Regions {
		places = append(places, report.Place{Name: r.Name, Lat: a.regions[i].Lat, Lon: a.regions[i].Lon, Value: r.CoreToEdge.P50, Home: i == a.core})
	}
	at, last := slowest(o)
	p, err := report.Map(places, "ms")
	fig, err := picture("From the core to each edge", fmt.Sprintf("The median one-way time, on great circles from %s: the farthest is %s with %.0f ms. Light and yellow is near, dark and violet far.", a.names[a.core], last.Name, last.CoreToEdge.P50), p, err)
	if err != nil {
		return s, err
	}
	s.Figures = append(s.Figures, fig)

	p, err = distribution(o, a, at)
	fig, err = picture("How the times spread", "The part of messages that were there within a time, from the core to edges (dashed, sourced) and to clients (with an assumed last mile).", p, err)
	if err != nil {
		return s, err
	}
	s.Figures = append(s.Figures, fig)

	p, err = report.Heat("client in", "publisher in", a.names, o.Matrix)
	fig, err = picture("From any region to any other, in ms", "Medians from the publisher's send to clients: always by the core, so two neighbours far from it wait for the way there and back. A dash: nobody published there.", p, err)
	if err != nil {
		return s, err
	}
	s.Figures = append(s.Figures, fig)

	sourced := report.Table{
		Caption: "From the core's log to the edge, in ms (sourced)",
		Head:    []string{"region", "half the table's round trip", "p50", "p95", "p99", "p99.9", "from the publisher's send: p50", "p95", "p99", "p99.9"},
	}
	assumed := report.Table{
		Caption: "To clients, in ms (with assumed last miles)",
		Head:    []string{"region", "edge to client p50", "p95", "p99", "p99.9", "core to client p50", "p95", "p99", "p99.9", "send to client p50", "p95", "p99", "p99.9"},
	}
	for _, r := range o.Regions {
		row := append([]string{r.Name, num(r.HalfRTT)}, quantileCells(r.CoreToEdge)...)
		sourced.Rows = append(sourced.Rows, append(row, quantileCells(r.SendToEdge)...))
		row = append([]string{r.Name}, quantileCells(r.EdgeToClient)...)
		row = append(row, quantileCells(r.CoreToClient)...)
		assumed.Rows = append(assumed.Rows, append(row, quantileCells(r.SendToClient)...))
	}
	s.Tables = []report.Table{sourced, assumed, ocean(o)}
	s.Text = append(s.Text, fmt.Sprintf("At edges, p99.9 rests on %d messages per region: one or two of them. At clients it rests on %d.", o.Published, o.Regions[0].CoreToClient.N))
	return s, nil
}

// ocean is what links carry to each region.
func ocean(o *Outcome) report.Table {
	t := report.Table{
		Caption: "On links between the core and each other region; frames to its edge, bytes both ways with headers and acknowledgements, those of a silent time apart",
		Head:    []string{"region", "frames per publish", "KiB per publish", "when nobody publishes, KiB/s"},
	}
	for i, r := range o.Regions {
		if i != o.plan.atlas.core {
			t.Rows = append(t.Rows, []string{
				r.Name, num(float64(r.OceanFrames) / float64(max(1, o.Published))), num(o.perPublish(r.OceanBytes, r.QuietBytes)), num(float64(r.QuietBytes) / o.plan.idle.Seconds() / 1024),
			})
		}
	}
	return t
}

// nearOrFar is a near edge against everyone to the core's region.
func nearOrFar(a *atlas, all results) (report.Section, error) {
	near, far := all[nearest], all[central]
	s := report.Section{
		Title: "A near edge, or everyone to the core’s region",
		Text: []string{
			"A message has to cross the ocean either way, so its median hardly changes. What a near edge saves is what goes there and back: the handshakes until a client is welcomed, " +
				"and the repetition of what the last mile has lost. And an ocean carries each message once, not once per client.",
		},
	}
	_, last := slowest(near)
	p, err := report.Bars("welcomed after, ms (p50)", a.names, []string{near.World, far.World}, [][]float64{
		byRegion(near, func(r *Region) float64 { return r.Welcome.P50 }), byRegion(far, func(r *Region) float64 { return r.Welcome.P50 }),
	})
	fig, err := picture("Until a client is welcomed", "From its first packet, without TLS, which adds a round trip: medians over the clients of a region.", p, err)
	if err != nil {
		return s, err
	}
	s.Figures = append(s.Figures, fig)
	p, err = report.Bars("core to client, ms (p99.9)", a.names, []string{near.World, far.World}, [][]float64{
		byRegion(near, func(r *Region) float64 { return r.CoreToClient.P999 }), byRegion(far, func(r *Region) float64 { return r.CoreToClient.P999 }),
	})
	fig, err = picture("The slowest in a thousand", "From the core to clients: mostly packets that a last mile has lost, and that come again after a timeout or a round trip, short or long.", p, err)
	if err != nil {
		return s, err
	}
	s.Figures = append(s.Figures, fig)
	t := report.Table{
		Caption: "Core to client in ms, and what oceans carry; bytes without those of a silent time",
		Head:    []string{"world", "p50", "p95", "p99", "p99.9", "welcome p50", "slowest", "frames between regions per publish", "KiB per publish, links", "KiB per publish, clients"},
	}
	for _, o := range []*Outcome{near, far} {
		t.Rows = append(t.Rows, append(append([]string{o.World}, quantileCells(o.CoreToAll)...), num(o.Welcome.P50), num(o.Welcome.Max),
			num(crossed(o)), num(kib(o, links)), num(kib(o, sockets))))
	}
	s.Tables = []report.Table{t}
	s.Text = append(s.Text, fmt.Sprintf("Each region has %d of the clients. The more there are, the more a near edge saves: with a thousand, an ocean carries each message once instead of a thousand times. The farthest region is %s.", near.plan.clients, last.Name))
	return s, nil
}

// crossed is how many frames or messages went between regions per publish: on
// links, or to clients that are elsewhere than their edge.
func crossed(o *Outcome) float64 {
	if !o.plan.central {
		return perPublish(o)
	}
	elsewhere := 0
	for i, r := range o.Regions {
		if i != o.plan.atlas.core {
			elsewhere += r.CoreToClient.N
		}
	}
	return float64(elsewhere) / float64(max(1, o.Published))
}

func byRegion(o *Outcome, of func(*Region) float64) (out []float64) {
	for i := range o.Regions {
		out = append(out, of(&o.Regions[i]))
	}
	return out
}

// relayed is the relays' tree against none.
func relayed(a *atlas, all results) (report.Section, error) {
	tree, none := all[relays], all[strange]
	edges := tree.Edges / len(a.names)
	s := report.Section{
		Title: "Relays, or every edge to the core",
		Text: []string{fmt.Sprintf("%d edges in each region. With relays, one of them takes a log from the core, and the others take it from that one; without, each edge takes all logs from the core "+
			"(they were told that they are strangers). The price is one more hop inside the region.", edges)},
	}
	one := all[nearest]
	names := []string{"1 edge per region", fmt.Sprintf("%d, with relays", edges), fmt.Sprintf("%d, all to the core", edges)}
	p, err := report.Bars("KiB between regions per publish", names, []string{"links"}, [][]float64{{kib(one, links), kib(tree, links), kib(none, links)}})
	fig, err := picture("What oceans carry per publish", "On links, with the headers of IP and QUIC and with acknowledgements, without what a silent time costs. With relays, an ocean does not notice how many edges a region has.", p, err)
	if err != nil {
		return s, err
	}
	s.Figures = append(s.Figures, fig)
	t := report.Table{
		Caption: "The same messages, with one edge in each region and with several; core to edge in ms, the means of the regions' figures",
		Head:    []string{"world", "frames between regions per publish", "KiB per publish", "when nobody publishes, KiB/s", "p50", "p95", "p99", "p99.9"},
	}
	for _, o := range []*Outcome{one, tree, none} {
		t.Rows = append(t.Rows, append([]string{o.World, num(perPublish(o)), num(kib(o, links)), num(float64(o.Quiet.Links) / o.plan.idle.Seconds() / 1024)}, quantileCells(o.regional())...))
	}
	s.Tables = []report.Table{t}
	return s, nil
}

// weather is what loss and jitter do.
func weather(a *atlas, all results) (report.Section, error) {
	n := all[nearest].plan.scenario.Network
	s := report.Section{
		Title: "Loss and jitter",
		Text: []string{fmt.Sprintf("Without any; with the table's jitter (so that round trips have its P50 and its P95), %.3g %% loss between regions and the last miles' own; and with %.3g times that jitter and %.3g %% loss. "+
			"Each log has a QUIC stream of its own, so a lost packet holds up one log in sixteen.", 100*n.Loss, n.RoughJitter, 100*n.RoughLoss)},
	}
	p := report.NewPlot("core to client, ms", "part of messages", 300)
	if err := cumulative(p, 0.9, []curve{
		{still, 2, false, all[still].together(all[still].coreTo)}, {nearest, 0, false, all[nearest].together(all[nearest].coreTo)}, {rough, 1, false, all[rough].together(all[rough].coreTo)},
	}); err != nil {
		return s, err
	}
	fig, err := picture("To all clients, in three networks", "The part of messages that were there within a time. The steps are the regions.", p, nil)
	if err != nil {
		return s, err
	}
	s.Figures = []report.Figure{fig}
	t := report.Table{
		Caption: "In ms: to edges, the means of the regions' figures; to clients, all of them together",
		Head:    []string{"network", "packets lost", "core to edge p50", "p95", "p99", "p99.9", "core to client p50", "p95", "p99", "p99.9"},
	}
	for _, name := range []string{still, nearest, rough} {
		o := all[name]
		row := append([]string{name, fmt.Sprintf("%.2f %%", 100*float64(o.PacketsLost)/float64(max(1, o.Packets)))}, quantileCells(o.regional())...)
		t.Rows = append(t.Rows, append(row, quantileCells(o.CoreToAll)...))
	}
	s.Tables = []report.Table{t}
	return s, nil
}

// clock is a time as people say it: 0.3 s, 2 min, 1 min 20 s.
func clock(d time.Duration) string {
	d = d.Round(100 * time.Millisecond)
	whole, rest := d/time.Minute, fmt.Sprintf("%.3g s", (d%time.Minute).Seconds())
	switch {
	case whole == 0:
		return rest
	case d%time.Minute == 0:
		return fmt.Sprintf("%d min", whole)
	}
	return fmt.Sprintf("%d min %s", whole, rest)
}

// between says from when to when, or when, if that is the same.
func between(first, last time.Duration) string {
	if clock(first) == clock(last) {
		return clock(first)
	}
	return clock(first) + " to " + clock(last)
}
