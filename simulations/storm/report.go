package storm

import (
	"fmt"
	"math"
	"time"

	"selvedge/internal/config"
	"selvedge/simulations/report"
)

const shows = `What becomes of ten thousand clients whose edge is killed, and of an office that loses its network and returns: how fast they are taken in,
when all are back with all they missed, what the core is asked meanwhile, and what those notice who were not hit. The first is real: processes, sockets and CPU of this machine.
The second is the real code on a simulated network, where the clients' backoff and jitter, the edges' admission, TCP and the office's access decide, and nothing else.`

const cannot = `The real part has clients, edges and core on the same CPUs, and loopback in place of a network: on machines of their own the edges would be faster, and the clients farther away.
In the virtual part code takes no time: it tells how the storm is spread, not what it costs. For that, a hello costs an edge some 80 us of CPU without TLS (docs/performance.md):
an edge's CPUs can welcome several times what --accept-rate lets in, so the rate decides there, too, and not the CPU. Clients come without TLS, which would add a round trip and most of the CPU.
The access, its delay and its loss are assumed.`

// newReport is all but how it was made.
func newReport(s *Scenario, all *results) (*report.Report, error) {
	r := &report.Report{
		Name: "storm", Title: "Storms: an edge dies, and an office returns",
		Build: config.ReadBuild(), Machine: report.ThisMachine(), Made: time.Now(),
		Scenario: s.String(), Shows: shows, Cannot: cannot,
		Sources:  `Round trips between regions: © Microsoft, “Azure network round-trip latency statistics”, 30 days to 2026-07-30, CC BY 4.0 (transcribed). The office's access: assumed, see the scenario.`,
		HostNote: "what real processes on this machine took, in real time, and how long it took to play the virtual part.",
	}
	if len(all.offices) > 0 {
		r.Network = all.offices
		part, err := officeSection(&s.Office, all.offices)
		if err != nil {
			return nil, err
		}
		r.NetworkSections = append(r.NetworkSections, part)
	}
	host := hostTime{}
	if len(all.kills) > 0 {
		host.Edge = &edgeTime{Median: medianKill(all.kills), Runs: all.kills}
		part, err := edgeSection(&s.Edge, all.kills)
		if err != nil {
			return nil, err
		}
		r.HostSections = append(r.HostSections, part)
	}
	if len(all.offices) > 0 {
		host.Played = played(all.offices)
		r.HostSections = append(r.HostSections, playedSection(host.Played))
	}
	r.Host, r.Key = host, keys(all)
	return r, nil
}

// hostTime is what report.json has under host_time.
type hostTime struct {
	Edge   *edgeTime `json:"edge,omitempty"`
	Played []play    `json:"played,omitempty"`
}

// edgeTime are the runs in which an edge was killed, and the medians of each figure.
type edgeTime struct {
	Median medians `json:"median"`
	Runs   []*Kill `json:"runs"`
}

// medians are those of each figure over the runs.
type medians struct {
	Runs         int     `json:"runs"`
	Movers       int     `json:"movers"`
	Back50       float64 `json:"back_p50_s"`
	Back90       float64 `json:"back_p90_s"`
	Back99       float64 `json:"back_p99_s"`
	BackAll      float64 `json:"back_all_s"`
	Rate         float64 `json:"accepted_per_s"`
	Peak         float64 `json:"accepted_per_s_peak"`
	CoreRequests float64 `json:"core_requests"`
	Bound        int     `json:"core_requests_bound"`
	Tries        float64 `json:"tries"`
	EdgeCPU      float64 `json:"edge_cpu_us_per_welcome"`
	CoreCPU      float64 `json:"core_cpu_us_per_welcome"`
	ClientCPU    float64 `json:"client_cpu_us_per_welcome"`
	CalmP50      float64 `json:"calm_p50_ms"`
	CalmP99      float64 `json:"calm_p99_ms"`
	StormP50     float64 `json:"storm_p50_ms"`
	StormP99     float64 `json:"storm_p99_ms"`
	Lost         int     `json:"lost"`
	Duplicated   int     `json:"duplicated"`
	OutOfOrder   int     `json:"out_of_order"`
}

func medianKill(kills []*Kill) medians {
	of := func(f func(*Kill) float64) float64 {
		var v []float64
		for _, k := range kills {
			v = append(v, f(k))
		}
		return math.Round(1000*median(v)) / 1000
	}
	m := medians{
		Runs: len(kills), Movers: kills[0].Movers, Bound: kills[0].Bound,
		Back50: of(func(k *Kill) float64 { return k.Back.P50 }), Back90: of(func(k *Kill) float64 { return k.Back.P90 }),
		Back99: of(func(k *Kill) float64 { return k.Back.P99 }), BackAll: of(func(k *Kill) float64 { return k.Back.All }),
		Rate: of(func(k *Kill) float64 { return k.Rate }), Peak: of(func(k *Kill) float64 { return float64(k.Busy) }),
		CoreRequests: of(func(k *Kill) float64 { return float64(total(k.CoreRequests)) }), Tries: of(func(k *Kill) float64 { return k.Tries }),
		EdgeCPU: of(func(k *Kill) float64 { return k.EdgeCPU }), CoreCPU: of(func(k *Kill) float64 { return k.CoreCPU }), ClientCPU: of(func(k *Kill) float64 { return k.ClientCPU }),
		CalmP50: of(func(k *Kill) float64 { return k.Calm.P50 }), CalmP99: of(func(k *Kill) float64 { return k.Calm.P99 }),
		StormP50: of(func(k *Kill) float64 { return k.Storm.P50 }), StormP99: of(func(k *Kill) float64 { return k.Storm.P99 }),
	}
	for _, k := range kills {
		m.Lost, m.Duplicated, m.OutOfOrder = m.Lost+k.Ledger.Lost, m.Duplicated+k.Ledger.Duplicated, m.OutOfOrder+k.Ledger.OutOfOrder
	}
	return m
}

func total(m map[string]int) (all int) {
	for _, n := range m {
		all += n
	}
	return all
}

// keys are the figures to begin with.
func keys(all *results) (out []report.Key) {
	if len(all.kills) > 0 {
		m := medianKill(all.kills)
		out = append(out,
			report.Key{Value: num(m.BackAll), Unit: "s", Text: fmt.Sprintf("real: until all %d clients of a killed edge have resumed elsewhere; half of them after %s s", m.Movers, num(m.Back50))},
			report.Key{Value: fmt.Sprintf("%.0f", m.CoreRequests), Unit: fmt.Sprintf("of %d", m.Bound), Text: "real: questions to the core meanwhile; at most one per room and edge, or for 48 clients if that is more"},
		)
	}
	for _, o := range all.offices[:min(2, len(all.offices))] {
		out = append(out, report.Key{Value: num(o.Back.All), Unit: fmt.Sprintf("s, p50 %s", num(o.Back.P50)), Text: fmt.Sprintf("virtual, %s: from the network's return until all %d are back", o.Variant.Name, o.Back.N)})
	}
	lost := 0
	for _, k := range all.kills {
		lost += k.Ledger.Lost + k.Ledger.Duplicated + k.Ledger.OutOfOrder
	}
	for _, o := range all.offices {
		lost += o.Ledger.Lost + o.Ledger.Duplicated + o.Ledger.OutOfOrder
	}
	return append(out, report.Key{Value: fmt.Sprint(lost), Unit: "messages", Text: "lost, doubled or out of order, in all of it"})
}

func num(v float64) string {
	switch {
	case v >= 99.95:
		return fmt.Sprintf("%.0f", v)
	case v >= 9.995:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// play is how long this machine took for a virtual world.
type play struct {
	Variant string  `json:"variant"`
	Virtual float64 `json:"virtual_s"`
	Wall    float64 `json:"wall_s"`
	Packets uint64  `json:"packets"`
}

func played(all []*Outcome) (out []play) {
	for _, o := range all {
		out = append(out, play{o.Variant.Name, seconds(o.Virtual), seconds(o.Wall), o.Packets})
	}
	return out
}

func playedSection(all []play) report.Section {
	t := report.Table{Caption: "What each of the office's worlds took to play", Head: []string{"world", "packets", "virtual time", "host time"}}
	for _, p := range all {
		t.Rows = append(t.Rows, []string{p.Variant, fmt.Sprint(p.Packets), num(p.Virtual) + " s", num(p.Wall) + " s"})
	}
	return report.Section{Title: "What the virtual part took to play", Tables: []report.Table{t}}
}
