package world

import (
	"fmt"
	"strings"
	"time"

	"selvedge/simulations/ledger"
	"selvedge/simulations/netsim"
)

// Report is what became of a run.
type Report struct {
	ledger.Result
	Scenario string
	Seed     uint64
	Faults   []string      // as drawn, and what was done beside them
	Problems []string      // promises that were broken; none = the run is good
	Welcomes int           // of all clients, the first ones included
	Slowest  time.Duration // that a publish took, tries included
	Measured []string      // what a scenario looked at beside the ledger
	Network  netsim.Stats
	Virtual  time.Duration
}

// Good reports whether every promise was kept.
func (r *Report) Good() bool { return len(r.Problems) == 0 }

func (r *Report) String() string {
	var out strings.Builder
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(&out, format+"\n", args...) } // a Builder takes all
	line("%s, seed %d: %v in %v; %d welcomes, %d of %d packets lost, slowest publish %v",
		r.Scenario, r.Seed, r.Result, r.Virtual.Round(time.Millisecond), r.Welcomes, r.Network.Lost, r.Network.Sent, r.Slowest.Round(time.Millisecond))
	for _, m := range r.Measured {
		line("  %s", m)
	}
	for _, f := range r.Faults {
		line("  fault %s", f)
	}
	for _, p := range r.Problems {
		line("  broken: %s", p)
	}
	return strings.TrimSpace(out.String())
}

// problems that are named, at most.
const named = 10

func (s *Scenario) judge(w *World, report *Report) {
	report.Result = w.Book.Result()
	report.Network, report.Virtual = w.Net.Stats(), w.Net.Since()
	report.Problems = append(report.Problems, w.Book.Problems(named)...)
	for _, c := range w.Clients {
		all, afresh := c.Welcomes()
		report.Welcomes += all
		if afresh != s.Afresh {
			report.Problems = append(report.Problems, fmt.Sprintf("%s had to start afresh %d times, and should %d times", c.User, afresh, s.Afresh))
		}
		for _, t := range c.Trouble() {
			report.Problems = append(report.Problems, fmt.Sprintf("%s: %s", c.User, t))
		}
	}
	if report.Gone > 0 && !s.Gaps {
		report.Problems = append(report.Problems, fmt.Sprintf("%d were told as gone, and nothing was dropped", report.Gone))
	}
	if len(report.Problems) > named {
		report.Problems = append(report.Problems[:named], "and more")
	}
}
