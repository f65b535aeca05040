package faults

import (
	"context"
	"fmt"
	"os"
	"time"

	"selvedge/wire"
)

var clockSteps = scenario{
	name:  "clock",
	fault: "the wall clock of the core steps by 1 h, forward and back, then that of each edge, under load; then kill -9 of the core, and a start with another time",
	must:  "nothing acknowledged is lost, doubled or out of order, no repetition is taken again, no record goes before its time, sockets stay, and edges are fit for traffic or become so again",
	run: func(ctx context.Context, r *run) error {
		p := clockPlan{warm: clockWindow, dwell: 5 * time.Second, core: stepsBothWays, edges: stepsBothWays, restarts: []int8{-1, 0, 1, 0}}
		if r.Quick {
			p.dwell = 2 * time.Second
		}
		return r.stepClocks(ctx, p)
	},
}

// clockPlan is what happens to the clocks. They are given in hours by which they
// differ from the machine's, one step after another; all begin with 0.
type clockPlan struct {
	warm     time.Duration // before the first step
	dwell    time.Duration // after each
	core     []int8
	edges    []int8 // of each edge, one edge after another
	restarts []int8 // of the core, killed before each
}

var stepsBothWays = []int8{1, 0, -1, 0}

const (
	// clockWindow is how long idempotency ids count here: long enough for a restart,
	// short enough that the log has forgotten some before the first step.
	clockWindow = 15 * time.Second
	// clockAge is how long frames are kept here. They are from -1 h to +1 h.
	clockAge = 3 * time.Hour
	// clockMoment is how long publishes may be refused after a step.
	clockMoment = 5 * time.Second
	// clockBack is how long an edge may take to be fit again after the core was killed.
	clockBack = 20 * time.Second
	// clockReaders is how many members read all that was published afterwards.
	clockReaders = 3
)

// stepClocks does what p says, and looks at everything.
func (r *run) stepClocks(ctx context.Context, p clockPlan) error {
	dir, err := os.MkdirTemp("", "selvedge-clock-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	defer func() {
		if r.fleet != nil {
			r.fleet.Stop() // before the folder goes
		}
	}()
	s := &stepper{run: r, plan: p}
	if err := s.prepare(ctx, dir); err != nil {
		return err
	}
	if err := s.watched(ctx, "while clocks were set", s.stepCore, s.stepEdges); err != nil {
		return err
	}
	if err := s.watched(ctx, "while the core was killed and started", s.restartCore, s.fit); err != nil {
		return err
	}
	if err := s.readAll(ctx); err != nil {
		return err
	}
	return s.judge(ctx)
}

// readAll ends the load, and lets members read all of the topics.
func (s *stepper) readAll(ctx context.Context) error {
	s.load.stop()
	s.saw("%v", s.load)
	var since wire.Seq
	for _, m := range s.members[:clockReaders] {
		for _, ch := range clockTopics() {
			s.book.Expect(m.user, ch)
			if _, err := m.client.Subscribe(ctx, ch, &since); err != nil {
				return err
			}
		}
	}
	return nil
}

// judge says whether every promise was kept.
func (s *stepper) judge(ctx context.Context) error {
	if err := s.settle(ctx); err != nil {
		return err
	}
	if n := s.book.Result().Gone; n > 0 {
		return fmt.Errorf("%w: %d messages were told as gone, and none is older than %v", errBroken, n, clockAge)
	}
	for i, m := range s.members {
		if n := m.welcomes.Load(); n != 1 && !s.mayCut(i) {
			return fmt.Errorf("%w: %s had to connect %d times", errBroken, m.user, n)
		}
	}
	return s.noneAfresh()
}
