package fanout

import (
	"fmt"
	"slices"

	"selvedge/simulations/report"
)

// centre is what the centre does.
func centre(_ *Scenario, res *Result) (report.Section, error) {
	out := report.Section{
		Title: "What the centre does",
		Text: []string{"CPU of the Redis servers, or of the core, per single publish, user and kernel, without what they use when nothing is published; apart from relays, edges and gateways. " +
			"Bytes: what Redis writes to sockets, its nodes’ talk included; what the core sends over links, without the headers of QUIC."},
	}
	for _, f := range []struct {
		title, alt, y string
		of            func(*Row) float64
	}{
		{"CPU of the centre per publish", "It grows with the gateways where the centre does the fan-out, and stays flat where relays do.", "ms", func(r *Row) float64 { return r.CentreCPU / 1000 }},
		{"Bytes out of the centre per publish", "With relays, one frame for each region, however many gateways it has.", "KiB", func(r *Row) float64 { return r.CentreBytes / 1024 }},
	} {
		p, err := res.overN(f.y, "single", f.of)
		if err != nil {
			return out, err
		}
		if p == nil {
			continue
		}
		fig, err := picture(f.title, f.alt, p)
		if err != nil {
			return out, err
		}
		out.Figures = append(out.Figures, fig)
	}
	t := report.Table{
		Caption: "Per publish; without what idle processes use",
		Head:    []string{"tier", "gateways", "mode", "centre’s CPU, ms", "relays’ and edges’ CPU, ms", "gateways’ CPU, us per receipt", "KiB out of the centre", "KiB from relays to links", "KiB over loopback, all of it"},
	}
	for _, row := range res.Rows {
		t.Rows = append(t.Rows, []string{
			label(row.Tier), fmt.Sprint(row.N), row.Mode, num(row.CentreCPU / 1000), num(row.RelaysCPU / 1000), num(row.ClientsCPU),
			num(row.CentreBytes / 1024), num(row.RelaysBytes / 1024), num(row.LoopbackBytes / 1024),
		})
	}
	out.Tables = []report.Table{t}
	return out, nil
}

// shards is what a cluster is to one channel.
func shards(s *Scenario, res *Result) (report.Section, error) {
	one, all, sharded := res.largest(tierRedis), res.largest(tierCluster), res.largest(tierSharded)
	if one == nil || all == nil {
		return report.Section{}, nil
	}
	out := report.Section{
		Title: "Sharding does not help one hot channel",
		Text: []string{fmt.Sprintf("With PUBLISH each of the %d nodes of a Redis Cluster gets every message, whoever subscribes where. With %d gateways, spread over the nodes, a publish takes %s ms of CPU of all nodes together, and of one server %s ms: "+
			"the nodes share the writing to gateways, and each has the cluster's bus beside it.", s.RedisNodes, all.N, num(all.CentreCPU/1000), num(one.CentreCPU/1000))},
	}
	names := make([]string, len(all.CentreByNode))
	series, values := []string{label(tierRedis), label(tierCluster)}, [][]float64{perNode(one, len(names)), perNode(all, len(names))}
	for i := range names {
		names[i] = fmt.Sprintf("node %d", i+1)
	}
	if sharded != nil {
		series, values = append(series, label(tierSharded)), append(values, perNode(sharded, len(names)))
		out.Text = append(out.Text, fmt.Sprintf("With SPUBLISH one node has the channel, and does all of it, as a single server would: %s ms of the %s ms.", num(slices.Max(sharded.CentreByNode)/1000), num(sharded.CentreCPU/1000)))
	}
	p, err := report.Bars("ms of CPU per publish", names, series, values)
	if err != nil {
		return out, err
	}
	f, err := picture(fmt.Sprintf("CPU of each node per publish, %d gateways", all.N), "One server; a cluster with gateways at all nodes; a cluster with a sharded channel.", p)
	out.Figures = []report.Figure{f}
	return out, err
}

func perNode(row *Row, nodes int) []float64 {
	out := make([]float64, nodes)
	for i, v := range row.CentreByNode[:min(nodes, len(row.CentreByNode))] {
		out[i] = v / 1000
	}
	return out
}

// networks is what a network would do, computed.
func networks(_ *Scenario, res *Result) (report.Section, error) {
	out := report.Section{
		Title: "Computed: where a network is full",
		Text: []string{fmt.Sprintf("Not measured: there is no network here. From the measured bytes out of the centre, and headers of %d bytes (Ethernet, IP, TCP) or %d (Ethernet, IP, UDP, QUIC) for each packet, a packet for each message to each gateway or relay.",
			tcpHeaders, quicHeaders)},
	}
	t := report.Table{
		Caption: "Computed: the centre’s link is full at",
		Head:    []string{"tier", "bytes per publish", "at gateways", "publishes/s, 1 Gbit/s", "publishes/s, 10 Gbit/s", "gateways at 100/s, 1 Gbit/s", "gateways at 100/s, 10 Gbit/s"},
	}
	for _, c := range res.Computed {
		one, ten := "any number", "any number"
		if c.Gateways1 > 0 {
			one, ten = fmt.Sprintf("%.0f", c.Gateways1), fmt.Sprintf("%.0f", c.Gateways10)
		}
		t.Rows = append(t.Rows, []string{label(c.Tier), fmt.Sprintf("%.0f", c.PerGateway*float64(c.N)), fmt.Sprint(c.N), num(c.Rate1), num(c.Rate10), one, ten})
	}
	out.Tables = []report.Table{t}
	return out, nil
}

// details are the distributions of all receipts, and idle times.
func details(_ *Scenario, res *Result) (report.Section, error) {
	all := report.Table{Caption: "Every receipt, in ms", Folded: true, Head: []string{"tier", "gateways", "mode", "receipts", "p50", "p95", "p99", "worst"}}
	for _, row := range res.Rows {
		all.Rows = append(all.Rows, []string{
			label(row.Tier), fmt.Sprint(row.N), row.Mode, fmt.Sprint(row.Receipts), num(row.Receipt.P50), num(row.Receipt.P95), num(row.Receipt.P99), num(row.Receipt.Max),
		})
	}
	idle := report.Table{
		Caption: "All connected, nothing published: ms of CPU per second", Folded: true,
		Head: []string{"tier", "gateways", "s to connect", "centre", "relays and edges", "gateways’ processes", "centre’s memory, MiB"},
	}
	for _, i := range res.Idle {
		idle.Rows = append(idle.Rows, []string{label(i.Tier), fmt.Sprint(i.N), num(i.Connect), num(i.Centre), num(i.Relays), num(i.Clients), fmt.Sprintf("%.0f", float64(i.RSS)/(1<<20))})
	}
	return report.Section{
		Title: "In detail", Tables: []report.Table{all, idle},
		Text: []string{"Links ping each second, and logs are stamped each second: that is what an idle core has to do for each direct link. Redis does nothing for an idle subscriber."},
	}, nil
}
