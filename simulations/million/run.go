package million

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"time"

	"selvedge/simulations/fleet"
	"selvedge/simulations/load"
)

// run plays a scenario, whatever the machine has. With errFault, what it returns was
// found nevertheless.
func run(ctx context.Context, s *Scenario, seed uint64, stderr io.Writer) (*Outcome, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	r := &rig{scenario: s, seed: seed, stderr: stderr, began: time.Now()}
	r.out = Outcome{
		Sockets: s.Sockets, Edges: s.edges(), LoadProcesses: s.processes(), Cores: 1, CPUs: runtime.NumCPU(),
		Team: s.Team, Ping: s.Ping.Seconds(), MessageBytes: s.MessageBytes,
	}
	err := r.play(ctx, stop)
	if cause := context.Cause(ctx); cause != nil && err != nil {
		err = cause // the others are what came of it
	}
	return &r.out, r.end(err)
}

func (r *rig) play(ctx context.Context, stop context.CancelCauseFunc) (err error) {
	memory := &r.out.Details.Memory
	if memory.Nothing, err = readKernel(); err != nil {
		return err
	}
	if err := r.start(ctx); err != nil {
		return err
	}
	w := &watcher{}
	watching, done := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() { w.watch(watching, r, stop) })
	defer func() {
		done()
		watch.Wait()
		r.out.Details.Least = float64(w.lowest())
	}()
	if memory.Empty, err = r.footprint(); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{
		r.fill, r.warm,
		func(ctx context.Context) error { return wait(ctx, min(r.scenario.Settle, longestWarm)) },
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if memory.Before, err = r.footprint(); err != nil {
		return err
	}
	if err := r.arrive(ctx, w); err != nil {
		return err
	}
	if memory.After, err = r.footprint(); err != nil {
		return err
	}
	r.account()
	r.out.Details.Disk = float64(r.disk())
	idle, err := r.idle(ctx)
	if err != nil {
		return err
	}
	if err := r.publishToAll(ctx, idle); err != nil {
		return err
	}
	if err := r.publishToTeams(ctx); err != nil {
		return err
	}
	return r.faultless(ctx)
}

// longestWarm is the longest wait after the sockets that come and go.
const longestWarm = 15 * time.Second

// arrive connects all, and waits until that is over.
func (r *rig) arrive(ctx context.Context, w *watcher) error {
	s := r.scenario
	before, err := r.usage()
	if err != nil {
		return err
	}
	r.progress("signing %d tokens", s.Sockets)
	if err := r.clients.Sign(ctx, r.sockets()); err != nil {
		return err
	}
	signed, err := r.usage()
	if err != nil {
		return err
	}
	r.progress("signed with %.0f us of CPU each; connecting", micros(signed.since(before).clients, s.Sockets))
	w.record()
	start := load.Now()
	c, err := r.clients.Connect(ctx, r.sockets())
	if err != nil {
		return err
	}
	now, err := r.usage()
	if err != nil {
		return err
	}
	r.out.Details.Samples = w.recorded()
	used := now.since(signed)
	r.out.EdgePerConnect, r.out.CorePerConnect = micros(used.edges, s.Sockets), micros(used.core, s.Sockets)
	r.out.ClientPerConnect = micros(used.clients, s.Sockets)
	r.out.Welcomed, r.out.ConnectRate = c.Took.Seconds(), float64(s.Sockets)/c.Took.Seconds()
	r.out.Details.Arrived = perSecond(start, c.At)
	r.out.Details.Welcome = quantiles(c.Times)
	stats, err := r.clients.Stats(ctx, group)
	if err != nil {
		return err
	}
	r.out.Retried = stats.Retried
	r.progress("%d sockets are welcome after %.1f s, %d tries were in vain; waiting %v", s.Sockets, r.out.Welcomed, r.out.Retried, s.Settle)
	return wait(ctx, s.Settle)
}

// perSecond counts moments by seconds from start.
func perSecond(start int64, moments []int64) (counts []int) {
	for _, at := range moments {
		second := int((at - start) / int64(time.Second))
		for second >= len(counts) {
			counts = append(counts, 0)
		}
		counts[max(second, 0)]++
	}
	return counts
}

func quantiles(times []time.Duration) Quantiles {
	if len(times) == 0 {
		return Quantiles{}
	}
	slices.Sort(times)
	at := func(q float64) float64 { return millis(times[min(int(q*float64(len(times))), len(times)-1)]) }
	return Quantiles{P50: at(0.5), P95: at(0.95), P99: at(0.99), Max: at(1)}
}

// idle looks at the CPU while nothing happens.
func (r *rig) idle(ctx context.Context) (spent, error) {
	s := r.scenario
	r.progress("idle for %v", s.Idle)
	before, err := r.usage()
	if err != nil {
		return spent{}, err
	}
	stats, err := r.clients.Stats(ctx, group)
	if err != nil {
		return spent{}, err
	}
	if err := wait(ctx, s.Idle); err != nil {
		return spent{}, err
	}
	now, err := r.usage()
	if err != nil {
		return spent{}, err
	}
	later, err := r.clients.Stats(ctx, group)
	if err != nil {
		return spent{}, err
	}
	used := now.since(before)
	used.pings = later.Pings - stats.Pings
	each := func(d time.Duration) float64 { return micros(d, s.Sockets) / used.took.Seconds() }
	r.out.IdlePerSocket = each(used.edges)
	r.out.Idle = Idle{
		Seconds: used.took.Seconds(), Edge: each(used.edges), Core: each(used.core), Client: each(used.clients),
		Pings:   float64(used.pings) / used.took.Seconds(),
		Machine: 100 * float64(used.edges+used.core+used.clients) / float64(used.took) / float64(runtime.NumCPU()),
	}
	r.progress("idle: %.3f us of edges' CPU per socket and second, %.1f %% of the machine", r.out.IdlePerSocket, r.out.Idle.Machine)
	return used, nil
}

// account divides the memory.
func (r *rig) account() {
	m, o := &r.out.Details.Memory, &r.out
	n := float64(o.Sockets)
	o.KernelPerSocket = float64(grown(m.Before.Kernel, m.After.Kernel)+tables(m.Before.Kernel, m.After.Kernel)) / n
	o.EdgePerSocket = float64(m.After.Edges.Less(m.Before.Edges).Resident) / n
	o.ClientPerSocket = float64(m.After.Clients.Less(m.Before.Clients).Resident) / n
	o.CorePerUser = float64(m.After.Core.Less(m.Before.Core).Resident) / n
	o.CorePerMembership = float64(m.Before.Core.Less(m.Empty.Core).Resident) / float64(o.Memberships)
	o.EdgeProcess = float64(m.Before.Edges.Anonymous) / float64(o.Edges)
	o.LoadProcess = float64(m.Before.Clients.Anonymous) / float64(o.LoadProcesses)
	o.CoreProcess = float64(m.Empty.Core.Anonymous)
	o.MemoryTotal = float64(m.Nothing.Available - m.After.Kernel.Available)
}

// errFault: the measurement went through, and something was lost or doubled.
var errFault = errors.New("something was lost, doubled or closed")

// faultless reports what went wrong at the sockets, and whether the edges count
// as many.
func (r *rig) faultless(ctx context.Context) error {
	stats, err := r.clients.Stats(ctx, group)
	if err != nil {
		return err
	}
	served := 0
	for _, e := range r.fleet.Edges {
		var state struct {
			Sockets int `json:"sockets"`
		}
		if err := fleet.ReadState(ctx, e.Admin, &state); err != nil {
			return err
		}
		served += state.Sockets
	}
	n := r.scenario.Sockets
	if fault := stats.Fault(); fault != "" || stats.Open != int64(n) || served != n {
		return fmt.Errorf("%w: %d of %d sockets are open, %d at the edges; %s", errFault, stats.Open, n, served, fault)
	}
	wanted := int64(n)*int64(r.out.Publish.Publishes) + r.wantedByTeams()
	if stats.Frames != wanted || r.out.Publish.Lost != 0 || r.out.Teams.Lost != 0 {
		return fmt.Errorf("%w: %d messages came, and %d should have", errFault, stats.Frames, wanted)
	}
	r.progress("%d sockets open, %d messages received, none lost, none doubled", stats.Open, stats.Frames)
	return nil
}
