package geo

import (
	"fmt"
	"time"

	"selvedge/internal/config"
	"selvedge/simulations/report"
)

const shows = `How long a message takes from the moment in which the core has it to every region's edge, and on to its clients, when the real core,
edges, QUIC links, gossip and WebSocket clients run over a network whose delays are measured round trips between the regions of one cloud. The same world is
played again with one thing changed, so that what a near edge, a relay, loss or an outage makes of it can be read off.`

const cannot = `Tell how fast a machine is: code takes no time here, and links have no bandwidth. A way takes half of the measured round trip, which is an
assumption; so is every last mile. Users live in their region's city, and their way to another region is as good as the cloud's backbone, which flatters the world without near edges.`

const sources = `Round trips between regions, P50 and P95: © Microsoft, “Azure network round-trip latency statistics”, 30 days to 2026-07-30, CC BY 4.0 (transcribed). ` +
	`Coordinates: public descriptions of the regions. Last miles: assumed, see the scenario.`

// newReport is all but how it was made.
func newReport(s *Scenario, a *atlas, all results) (*report.Report, error) {
	for _, name := range order {
		if all[name].Published == 0 {
			return nil, all[name].nothing()
		}
	}
	r := &report.Report{
		Name: "geo", Title: "How far a message travels: a core in " + a.names[a.core] + fmt.Sprintf(", edges in %d regions", len(a.names)),
		Build: config.ReadBuild(), Machine: report.ThisMachine(), Made: time.Now(),
		Scenario: s.String(), Shows: shows, Cannot: cannot, Sources: sources, Network: all,
		Key: keys(a, all),
	}
	for _, section := range []func(*atlas, results) (report.Section, error){
		wherever, nearOrFar, relayed, weather, troubled, working,
	} {
		part, err := section(a, all)
		if err != nil {
			return nil, err
		}
		r.NetworkSections = append(r.NetworkSections, part)
	}
	r.Host, r.HostSections = hostTime(all)
	return r, nil
}

// nothing says why there is no report of a world in which nobody published.
func (o *Outcome) nothing() error {
	return fmt.Errorf("%s: nothing was published in %v: there is nothing to report; publish for longer, or more often", o.World, o.plan.last)
}

// keys are the figures to begin with.
func keys(a *atlas, all results) []report.Key {
	near, far := all[nearest], all[central]
	_, last := slowest(near)
	return []report.Key{
		{Value: fmt.Sprintf("%.0f", near.CoreToAll.P50), Unit: fmt.Sprintf("ms, p99 %.0f", near.CoreToAll.P99), Text: "from the core to a client anywhere, by the nearest edge"},
		{Value: fmt.Sprintf("%.0f", last.CoreToEdge.P50), Unit: fmt.Sprintf("ms, p99 %.0f", last.CoreToEdge.P99), Text: "from the core to the farthest edge: " + last.Name},
		{Value: fmt.Sprintf("%.0f → %.0f", far.Welcome.P50, near.Welcome.P50), Unit: "ms", Text: "until a client is welcomed, median: everyone to " + a.names[a.core] + ", and a near edge"},
		{Value: fmt.Sprintf("%.0f → %.0f", perPublish(all[strange]), perPublish(all[relays])), Unit: "frames", Text: fmt.Sprintf("between regions per publish with %d edges in each: without relays, and with", all[relays].Edges/len(a.names))},
	}
}

// slowest is the region that is farthest from the core.
func slowest(o *Outcome) (at int, r *Region) {
	for i := range o.Regions {
		if o.Regions[i].CoreToEdge.P50 > o.Regions[at].CoreToEdge.P50 {
			at = i
		}
	}
	return at, &o.Regions[at]
}

// perPublish is how many frames went between regions per message.
func perPublish(o *Outcome) float64 { return float64(o.OceanFrames) / float64(max(1, o.Published)) }

// kib is bytes per message in KiB, without what the same time costs when nobody
// publishes.
func kib(o *Outcome, of func(Oceans) int64) float64 { return o.perPublish(of(o.Oceans), of(o.Quiet)) }

// perPublish is bytes while publishing in KiB per message, without what they are in the same
// time when nobody publishes.
func (o *Outcome) perPublish(bytes, quiet int64) float64 {
	silence := float64(quiet) * o.Took.Seconds() / o.plan.idle.Seconds()
	return max(0, (float64(bytes)-silence)/float64(max(1, o.Published))/1024)
}

func links(o Oceans) int64   { return o.Links }
func sockets(o Oceans) int64 { return o.Sockets }

func num(v float64) string {
	if v >= 99.95 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.1f", v)
}

func quantileCells(q Quantiles) []string {
	if q.N == 0 {
		return []string{"–", "–", "–", "–"}
	}
	return []string{num(q.P50), num(q.P95), num(q.P99), num(q.P999)}
}

// host is how long the machine took for a world.
type host struct {
	World   string  `json:"world"`
	Virtual float64 `json:"virtual_s"`
	Wall    float64 `json:"wall_s"`
	CPU     float64 `json:"cpu_s"` // the process's
	Packets uint64  `json:"packets"`
}

func hostTime(all results) (any, []report.Section) {
	var hosts []host
	table := report.Table{Caption: "What each world took to play", Head: []string{"world", "edges", "clients", "deliveries", "packets", "virtual time", "host time", "CPU time", "CPU time of an hour of it"}}
	for _, name := range order {
		o := all[name]
		hosts = append(hosts, host{name, o.Virtual.Seconds(), o.Wall.Seconds(), o.CPU.Seconds(), o.Packets})
		hour := time.Duration(float64(o.CPU) / o.Virtual.Hours())
		table.Rows = append(table.Rows, []string{
			name, fmt.Sprint(o.Edges), fmt.Sprint(o.Clients), fmt.Sprint(o.Deliveries), fmt.Sprint(o.Packets),
			o.Virtual.Round(time.Second).String(), o.Wall.Round(100 * time.Millisecond).String(), o.CPU.Round(100 * time.Millisecond).String(), hour.Round(time.Second).String(),
		})
	}
	day := all[workday]
	hour := func(of time.Duration) time.Duration {
		return time.Duration(float64(of) / day.plan.scenario.Day.For.Hours()).Round(100 * time.Millisecond)
	}
	return hosts, []report.Section{{Title: "What it took to play", Tables: []report.Table{table}, Text: []string{
		fmt.Sprintf("An hour of the working day took %v, and %v of CPU time, with all that comes before and after the day. On a busy machine it takes longer, and no figure of network time changes.", hour(day.Wall), hour(day.CPU)),
	}}}
}
