package faults

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	backend "selvedge/core/client"
	"selvedge/simulations/fleet"
	"selvedge/wire"
)

// stepper steps the clocks of a run.
type stepper struct {
	*run

	plan  clockPlan
	clock clocks
	probe int // how many posts there were that are repeated
}

// prepare builds the nodes, starts them, and publishes for a while: to rooms,
// whose members are there, and to topics, which are read afterwards.
func (s *stepper) prepare(ctx context.Context, dir string) error {
	main, err := sources(ctx)
	if err != nil {
		return err
	}
	s.progress("building the nodes; the first time, that is the standard library, too")
	if s.binary, err = buildStepped(ctx, main, dir); err != nil {
		return err
	}
	if s.clock, err = makeClocks(dir, "core-1", "edge-1", "edge-2"); err != nil {
		return err
	}
	s.env = append(s.env, clocksEnv+"="+s.clock.dir)
	c := crowd{rooms: 20, members: 20, perMember: 2}
	if err := s.gather(ctx, fleet.Config{
		Data: filepath.Join(dir, "data"), Regions: []string{"us-east", "eu-west"},
		CoreFlags: []string{"--logs", "2", "--keep-age", clockAge.String(), "--dedup-window", clockWindow.String()},
	}, c); err != nil {
		return err
	}
	chs := clockTopics()
	for room := range c.rooms {
		chs = append(chs, roomChannel(room))
	}
	s.publishTo(ctx, chs, min(s.Rate, 1000), 200, s.fleet.Core.URL)
	return pause(ctx, s.plan.warm)
}

// watched does something while it looks whether the edges are fit for traffic.
func (s *stepper) watched(ctx context.Context, when string, do ...func(context.Context) error) error {
	ready := watchReady(ctx, s.fleet.Edges)
	defer ready.stop()
	for _, f := range do {
		if err := f(ctx); err != nil {
			return err
		}
	}
	ready.stop()
	s.saw("%s, edges were fit for traffic at %d of %d looks, and one was not for %v at the most", when, ready.looks-ready.unfit, ready.looks, ready.longest.Round(time.Millisecond))
	return nil
}

func clockTopics() []wire.Channel { return []wire.Channel{"topic:a", "topic:b"} }

func (s *stepper) stepCore(ctx context.Context) error { return s.steps(ctx, s.fleet.Core, s.plan.core) }

func (s *stepper) stepEdges(ctx context.Context) error {
	for _, n := range s.fleet.Edges {
		if err := s.steps(ctx, n, s.plan.edges); err != nil {
			return err
		}
	}
	return nil
}

// steps sets the clock of a node that runs.
func (s *stepper) steps(ctx context.Context, n *fleet.Node, hours []int8) error {
	failed, slowest := s.load.failed.Load(), time.Duration(0)
	for _, h := range hours {
		took, err := s.after(ctx, n.Name, func() error {
			if err := s.clock.set(n.Name, h); err != nil {
				return err
			}
			return shows(ctx, n, h)
		})
		if err != nil {
			return fmt.Errorf("%s at %+d h: %w", n.Name, h, err)
		}
		slowest = max(slowest, took)
	}
	s.saw("%s at %+d h: %d publishes refused; every channel had one acknowledged %v later at the most", n.Name, hours, s.load.failed.Load()-failed, slowest.Round(time.Millisecond))
	if slowest > clockMoment {
		return fmt.Errorf("a step of %s stopped publishes for %v", n.Name, slowest)
	}
	return nil
}

// restartCore kills the core, and starts it at another time.
func (s *stepper) restartCore(ctx context.Context) error {
	var restarts []time.Duration
	for _, h := range s.plan.restarts {
		_, err := s.after(ctx, "core-1", func() error {
			killed := time.Now()
			s.fleet.Core.Kill()
			if err := s.clock.set("core-1", h); err != nil {
				return err
			}
			if err := s.fleet.StartCore(ctx); err != nil {
				return err
			}
			restarts = append(restarts, time.Since(killed).Round(time.Millisecond))
			return shows(ctx, s.fleet.Core, h)
		})
		if err != nil {
			return fmt.Errorf("core started again at %+d h: %w", h, err)
		}
	}
	s.saw("core killed, and started at %+d h: ready again after %v", s.plan.restarts, restarts)
	return nil
}

// after publishes a post, cuts half of the members off, does something to a clock,
// repeats the post, and waits until all publishers go on.
func (s *stepper) after(ctx context.Context, node string, do func() error) (time.Duration, error) {
	s.probe++
	first, err := s.once(ctx)
	if err != nil {
		return 0, err
	}
	for i, m := range s.members {
		if s.mayCut(i) {
			m.cut()
		}
	}
	if err := do(); err != nil {
		return 0, err
	}
	took, err := s.everyone(ctx)
	if err != nil {
		return took, err
	}
	if err := pause(ctx, s.plan.dwell); err != nil {
		return took, err
	}
	again, err := s.once(ctx)
	if err != nil {
		return took, err
	}
	if !again.Duplicate || again.P != first.P || again.Seq != first.Seq {
		return took, fmt.Errorf("%w: a repetition across the step of %s was taken again: first as %d of log %d, then as %d of log %d", errBroken, node, first.Seq, first.P, again.Seq, again.P)
	}
	return took, nil
}

// once publishes the post of this step.
func (s *stepper) once(ctx context.Context) (backend.Placed, error) {
	data, err := wire.ParseJSON(fmt.Appendf(nil, `{"probe":%d}`, s.probe))
	if err != nil {
		return backend.Placed{}, err
	}
	return s.api.Publish(ctx, backend.Message{Channel: "topic:once", Data: data, MsgID: fmt.Sprint("probe-", s.probe)})
}

// mayCut says which members lose their sockets with every step. The others must
// keep theirs.
func (*stepper) mayCut(i int) bool { return i%4 < 2 } // at both edges

// fit waits until all nodes are fit for traffic.
func (s *stepper) fit(ctx context.Context) error {
	for _, n := range append([]*fleet.Node{s.fleet.Core}, s.fleet.Edges...) {
		if err := s.until(ctx, clockBack, n.Name+" is fit for traffic", func() bool { return fleet.Ready(ctx, n.Admin) }); err != nil {
			return err
		}
	}
	return nil
}
