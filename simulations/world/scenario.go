package world

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"strings"
	"time"

	"selvedge/simulations/ledger"
	"selvedge/simulations/netsim"
)

// Scenario is a world, what people do in it, and what goes wrong.
type Scenario struct {
	Name   string
	Config Config // without seed, folder and number of clients
	Load   Load
	// For is how long it goes on: the safety phase.
	For time.Duration
	// Faults are drawn for a run; their times count from the load's beginning. nil
	// = none.
	Faults func(r *rand.Rand, w *World) []netsim.Fault
	// Meanwhile does what is no fault of the network, beside the load; it returns
	// soon after ctx ends. nil = nothing.
	Meanwhile func(ctx context.Context, w *World) error
	// Gaps may be told, since the logs keep less than somebody is away for.
	Gaps bool
}

const (
	// recovery bounds the liveness phase: a client may have waited long before it
	// tries again, and a connection is believed in for half a minute.
	recovery = 3 * time.Minute
	// silence follows it: what comes now comes twice.
	silence = 10 * time.Second
	// mostPackets is what no run comes near, unless something goes round in
	// circles: virtual time has all the time for that.
	mostPackets = 2_000_000
)

// Report is what became of a run.
type Report struct {
	ledger.Result
	Scenario string
	Seed     uint64
	Faults   []string // as drawn
	Problems []string // promises that were broken; none = the run is good
	Welcomes int      // of all clients, the first ones included
	Network  netsim.Stats
	Virtual  time.Duration
}

// Good reports whether every promise was kept.
func (r *Report) Good() bool { return len(r.Problems) == 0 }

func (r *Report) String() string {
	var out strings.Builder
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(&out, format+"\n", args...) } // a Builder takes all
	line("%s, seed %d: %v in %v; %d welcomes, %d of %d packets lost", r.Scenario, r.Seed, r.Result, r.Virtual.Round(time.Millisecond), r.Welcomes, r.Network.Lost, r.Network.Sent)
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

// Play runs a scenario with a seed and data in dir, inside the bubble of the
// caller. The report says what promises were broken; the error that the world
// could not be run. logger gets the nodes' logs; nil = nobody.
func (s *Scenario) Play(ctx context.Context, seed uint64, dir string, logger *slog.Logger) (_ *Report, err error) {
	forgetTimers()
	cfg := s.Config
	cfg.Seed, cfg.Dir, cfg.Clients, cfg.Logger = seed, dir, s.Load.Users, logger
	w, err := Start(ctx, cfg)
	defer func() {
		if closing := w.Close(); err == nil {
			err = closing
		}
	}()
	if err != nil {
		return nil, err
	}
	p := newPeople(w, s.Load)
	if err := p.settle(ctx); err != nil {
		return nil, err
	}
	report := &Report{Scenario: s.Name, Seed: seed}
	if s.Faults != nil {
		begin := w.Net.Since()
		for _, f := range s.Faults(p.dice("faults", 0), w) {
			f.At += begin
			report.Faults = append(report.Faults, f.String())
			w.Net.Inject(f)
		}
	}
	ctx, unwatch := w.watch(ctx)
	defer unwatch()
	s.goOn(ctx, w, p, report)
	s.recover(ctx, w, p, report)
	if ctx.Err() != nil {
		report.Problems = append(report.Problems, context.Cause(ctx).Error())
	}
	s.judge(w, report)
	return report, nil
}

// forgetTimers empties the pools that packages keep timers in, such as NATS'
// client: one of another bubble must not be met in this one. A pool survives one
// collection of garbage.
func forgetTimers() {
	runtime.GC()
	runtime.GC()
}

// goOn is the safety phase: load and faults.
func (s *Scenario) goOn(ctx context.Context, w *World, p *people, report *Report) {
	ctx, cancel := context.WithTimeout(ctx, s.For)
	defer cancel()
	if s.Meanwhile != nil {
		p.wg.Go(func() {
			if err := s.Meanwhile(ctx, w); err != nil {
				report.Problems = append(report.Problems, err.Error()) // read after the wait
			}
		})
	}
	p.live(ctx)
}

// watch ends ctx when something goes round in circles.
func (w *World) watch(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		err := until(ctx, 24*time.Hour, func() bool { return w.Net.Stats().Sent > mostPackets })
		if err == nil {
			cancel(fmt.Errorf("more than %d packets were sent: something goes round in circles", mostPackets))
		}
	}()
	return ctx, func() { cancel(nil) }
}

// recover is the liveness phase: no faults, and everybody gets everything.
func (s *Scenario) recover(ctx context.Context, w *World, p *people, report *Report) {
	w.Net.Calm()
	ctx, cancel := context.WithTimeout(ctx, recovery)
	defer cancel()
	if err := p.publishAll(ctx); err != nil {
		report.Problems = append(report.Problems, fmt.Sprintf("publishing fails though nothing is wrong any more: %v", err))
		return
	}
	// The result tells what is missing, if this does not come to an end.
	_ = until(ctx, recovery, func() bool { return w.Book.Missing() == 0 })
	select {
	case <-ctx.Done():
	case <-time.After(silence):
	}
}

func (s *Scenario) judge(w *World, report *Report) {
	report.Result = w.Book.Result()
	report.Network, report.Virtual = w.Net.Stats(), w.Net.Since()
	report.Problems = append(report.Problems, w.Book.Problems(named)...)
	for _, c := range w.Clients {
		all, afresh := c.Welcomes()
		report.Welcomes += all
		if afresh > 0 {
			report.Problems = append(report.Problems, fmt.Sprintf("%s had to start afresh %d times", c.User, afresh))
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
