package world

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"time"

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
	// Within bounds how long a publish takes, tries at all cores included; 0 =
	// publishTime, and it may fail.
	Within time.Duration
	// Afresh is how often every client has to start afresh: once per new epoch.
	Afresh int
	// Asks has the clients read all the time, to see what is said to be stale; it
	// names the times at which all answers of an edge must be, and at which none.
	Asks *Freshness
	// Society is the state that changes, and is asked for, meanwhile; nil = none.
	// Its answers are looked at as Asks has it, and the world is empty at the end.
	Society *Society
	// Memory bounds what queues may take; nil = it is not looked at.
	Memory *Memory
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
	var society *society
	if s.Society != nil {
		society = newSociety(p, *s.Society)
		if err := society.settle(ctx); err != nil {
			return nil, err
		}
	}
	report := &Report{Scenario: s.Name, Seed: seed}
	var faults []netsim.Fault
	if s.Faults != nil {
		begin := w.Net.Since()
		for _, f := range s.Faults(p.dice("faults", 0), w) {
			f.At += begin
			report.Faults = append(report.Faults, f.String())
			faults = append(faults, f)
		}
		w.Net.Inject(faults...)
	}
	ctx, unwatch := w.watch(ctx)
	defer unwatch()
	s.goOn(ctx, w, p, society, w.cutsOf(faults), report)
	s.recover(ctx, w, p, society, report)
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
func (s *Scenario) goOn(ctx context.Context, w *World, p *people, society *society, cuts []cut, report *Report) {
	ctx, cancel := context.WithTimeout(ctx, s.For)
	defer cancel()
	if s.Meanwhile != nil {
		p.wg.Go(func() {
			if err := s.Meanwhile(ctx, w); err != nil {
				report.Problems = append(report.Problems, err.Error()) // read after the wait
			}
		})
	}
	said := answers{cuts: cuts}
	if society != nil {
		p.wg.Go(func() { society.live(ctx, &said) })
	} else if s.Asks != nil {
		for i, c := range w.Clients {
			p.wg.Go(func() { said.ask(ctx, c, i%2 == 0, p.channel(i)) })
		}
	}
	taken := used{bound: s.Memory}
	if s.Memory != nil {
		p.wg.Go(func() { taken.watch(ctx, w) })
	}
	p.live(ctx)
	if s.Asks != nil {
		said.report(s.Asks, report)
	}
	if s.Memory != nil {
		taken.report(p.bytes, report)
	}
	report.Faults = append(report.Faults, w.happened()...)
	p.mu.Lock()
	defer p.mu.Unlock()
	report.Slowest = p.slowest
	if s.Within > 0 && (p.slowest > s.Within || p.failed != nil) {
		report.Problems = append(report.Problems, fmt.Sprintf("a publish took %v, where %v was promised, or failed: %v", p.slowest, s.Within, errors.Join(p.failed...)))
	}
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
func (s *Scenario) recover(ctx context.Context, w *World, p *people, society *society, report *Report) {
	w.Net.Calm()
	if society != nil {
		// Messages may come by a sibling before the state does by the core, and don't wait
		// for it: from here on every edge hears both.
		<-time.After(freshAgain)
	}
	published := w.Net.Since()
	all := ctx
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
	if society != nil {
		society.check(all, published)
		society.report(report)
	}
	report.Problems = append(report.Problems, w.leaks(all)...)
	if society != nil {
		report.Problems = append(report.Problems, w.leave(all)...)
	}
}
