package geo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"testing"
	"time"

	"selvedge/simulations/bubble"
	"selvedge/simulations/load"
	"selvedge/simulations/router"
)

const (
	// agree is how far apart the middles of the virtual and the real world may be.
	agree = 2 * time.Millisecond
	// realSettle is for the processes to have started and to know each other, before
	// anybody publishes.
	realSettle = 15 * time.Second
	// mostDrift is how much this machine's clock may have been set meanwhile: messages
	// bear the core's stamp by that clock.
	mostDrift = 500 * time.Microsecond
	// mostReal bounds a real run; mostRealEdges its edges, which are processes; and
	// mostRealHosts edges and clients, which have an address of a namespace each.
	mostReal      = time.Hour
	mostRealEdges = 40
	mostRealHosts = 2000
)

// crossing is one scenario, played twice.
type crossing struct {
	plan          *plan
	virtual, real *Outcome
	effort        Effort
}

// Effort is what the real world took.
type Effort struct {
	Busy    float64       `json:"busy"` // the part of this machine's CPU time that was used while messages were published, by anybody
	Core    float64       `json:"core_cpus"`
	Edges   float64       `json:"edges_cpus"` // all together
	Router  float64       `json:"router_cpus"`
	Clients float64       `json:"clients_cpus"` // clients and publishers, and this process otherwise
	Packets router.Counts `json:"packets"`      // of the whole run
}

// cross plays a scenario as processes, for so long, and then in virtual time.
func cross(ctx context.Context, s *Scenario, a *atlas, seed uint64, progress io.Writer) (*crossing, error) {
	c := &crossing{plan: newPlan(nearest, s, a, seed, 1)}
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(progress, format+"\n", args...) } // may go unread
	var err error
	if c.real, c.effort, err = c.plan.playReal(ctx, say); err != nil {
		return nil, fmt.Errorf("real processes: %w", err)
	}
	var all results
	err = bubble.Main(func(t *testing.T) (err error) {
		all, err = playAll(ctx, t, []*plan{c.plan}, progress)
		return err
	})
	if err != nil {
		return nil, err
	}
	c.virtual = all[nearest]
	return c, nil
}

// playReal plays the world with processes of this binary over a router.
func (p *plan) playReal(ctx context.Context, say func(string, ...any)) (out *Outcome, e Effort, err error) {
	say("starting a core and %d edges, in namespaces of their own", len(p.edges))
	w, err := startReal(ctx, p)
	defer func() {
		counts, ending := w.stop(err)
		e.Packets, err = counts, errors.Join(err, ending)
	}()
	if err != nil {
		return nil, e, err
	}
	// Whatever ends before its time ends all.
	ctx, cancel := context.WithCancelCause(ctx)
	var watch sync.WaitGroup
	defer watch.Wait()
	defer cancel(nil)
	for _, n := range w.nodes {
		watch.Go(func() {
			select {
			case <-ctx.Done():
			case <-n.Done():
				cancel(fmt.Errorf("%s has ended: %s", n.Name, n.Log()))
			}
		})
	}
	if out, e, err = p.measureReal(ctx, w, say); err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return out, e, err
}

// measureReal has the crowd publish, and looks what becomes of it.
func (p *plan) measureReal(ctx context.Context, w *realWorld, say func(string, ...any)) (out *Outcome, e Effort, err error) {
	rec := newRecorder(len(p.atlas.regions))
	origin := time.Now()
	rec.begins(func() time.Duration { return time.Since(origin) })
	c := newCrowd(p, w.ground(rec.since), rec)
	defer func() { err = errors.Join(err, c.leave()) }()
	say("%d clients connect", len(p.edges)+len(p.atlas.regions)*p.clients)
	if err := c.come(ctx); err != nil {
		return nil, e, err
	}
	if err := wait(ctx, realSettle); err != nil {
		return nil, e, err
	}
	if err := c.warm(ctx); err != nil {
		return nil, e, err
	}
	say("publishing for %v", p.last)
	rec.begin = rec.since()
	before, err := w.spent()
	if err != nil {
		return nil, e, err
	}
	if err := c.publish(ctx); err != nil {
		return nil, e, err
	}
	after, err := w.spent()
	if err != nil {
		return nil, e, err
	}
	took := rec.since() - rec.begin
	for deadline := rec.since() + patience/3; rec.missing() > 0 && rec.since() < deadline; {
		if err := wait(ctx, 100*time.Millisecond); err != nil {
			return nil, e, err
		}
	}
	if drift := time.Since(origin) - time.Now().Round(0).Sub(origin.Round(0)); drift.Abs() > mostDrift {
		return nil, e, fmt.Errorf("this machine's clock was set by %v meanwhile: times mean nothing, try again", drift)
	}
	out = rec.outcome(p)
	out.Took = took
	return out, after.minus(before, took), nil
}

// spending is CPU time so far.
type spending struct {
	core, edges, router, clients time.Duration
	busy, idle                   float64 // of the machine, in ticks
}

func (s spending) minus(o spending, took time.Duration) Effort {
	cpus := func(a, b time.Duration) float64 { return (a - b).Seconds() / took.Seconds() }
	e := Effort{Core: cpus(s.core, o.core), Edges: cpus(s.edges, o.edges), Router: cpus(s.router, o.router), Clients: cpus(s.clients, o.clients)}
	if all := s.busy + s.idle - o.busy - o.idle; all > 0 {
		e.Busy = (s.busy - o.busy) / all
	}
	return e
}

// spent looks at all processes.
func (w *realWorld) spent() (s spending, err error) {
	look := func(into *time.Duration, pid int) {
		d, looking := load.CPU(pid)
		*into += d
		err = errors.Join(err, looking)
	}
	look(&s.router, w.router.PID())
	look(&s.clients, w.self)
	for i, n := range w.nodes {
		if i == 0 {
			look(&s.core, n.PID())
		} else {
			look(&s.edges, n.PID())
		}
	}
	s.busy, s.idle = machineTicks()
	return s, err
}

// leg is a part of the way, in one region, in both worlds.
type leg struct {
	region          string
	client          bool // else to the edge
	virtual, real   Quantiles
	virtualM, realM float64 // their middles
}

// middle is the median of sorted times, in ms: the mean of the middle fifth. A single rank would jump where
// half of a region's clients have a shorter last mile than the others.
func middle(sorted []time.Duration) float64 {
	n := float64(len(sorted))
	fifth := sorted[int(0.4*n):int(math.Ceil(0.6*n))]
	var sum time.Duration
	for _, d := range fifth {
		sum += d
	}
	return ms(sum / time.Duration(max(1, len(fifth))))
}

func (l *leg) apart() time.Duration {
	return time.Duration((l.realM - l.virtualM) * float64(time.Millisecond))
}

// legs are those to edges, then those to clients.
func (c *crossing) legs() (out []leg) {
	for _, client := range []bool{false, true} {
		for i, name := range c.plan.atlas.names {
			pick := func(o *Outcome) (Quantiles, float64) {
				times := o.stamped[i].edge
				if client {
					times = o.stamped[i].client
				}
				q := quantiles(times) // sorts them
				return q, middle(times)
			}
			l := leg{region: name, client: client}
			l.virtual, l.virtualM = pick(c.virtual)
			l.real, l.realM = pick(c.real)
			out = append(out, l)
		}
	}
	return out
}

// check says whether the two agree, and that neither lost anything.
func (c *crossing) check() error {
	var errs []error
	for i, o := range []*Outcome{c.virtual, c.real} {
		if problems := o.sound(); len(problems) > 0 {
			errs = append(errs, fmt.Errorf("%s: messages were not delivered as promised: %v", [2]string{"virtual time", "real processes"}[i], problems))
		}
	}
	if c.virtual.Published != c.real.Published {
		errs = append(errs, fmt.Errorf("%d messages were published in virtual time, and %d by real processes: the two were not asked the same", c.virtual.Published, c.real.Published))
	}
	legs, off := c.legs(), 0
	worst := &legs[0]
	for i := range legs {
		l := &legs[i]
		if l.virtual.N == 0 || l.real.N == 0 {
			errs = append(errs, fmt.Errorf("%s: nothing came %s", l.region, l.to()))
		}
		if l.apart().Abs() > agree {
			off++
		}
		if l.apart().Abs() > worst.apart().Abs() {
			worst = l
		}
	}
	if off > 0 {
		errs = append(errs, fmt.Errorf("%d of %d medians differ by more than %v; most, from the core %s in %s: %.1f ms in virtual time and %.1f ms with real processes, while this machine was %.0f %% busy, which should be less than half",
			off, len(legs), agree, worst.to(), worst.region, worst.virtualM, worst.realM, 100*c.effort.Busy))
	}
	return errors.Join(errs...)
}

func (l *leg) to() string {
	if l.client {
		return "to clients"
	}
	return "to the edge"
}
