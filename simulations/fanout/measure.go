package fanout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"selvedge/simulations/load"
	"selvedge/simulations/orders"
)

const (
	// inFlight is how many gateways connect at once, in all.
	inFlight = 32
	// settle is the pause after connecting, and after a mode, whose acknowledgements
	// and the like are done then and counted.
	settle = 300 * time.Millisecond
	// between is the pause between single publishes.
	between = 20 * time.Millisecond
	// usualPatience is how long nothing may come before the rest counts as late or lost,
	// and connectTime bounds all connecting of a number of gateways.
	usualPatience = 30 * time.Second
	connectTime   = 5 * time.Minute
)

// Result is what was measured, and computed from it.
type Result struct {
	PayloadBytes int        `json:"payload_bytes"`
	Rows         []Row      `json:"rows"`
	Idle         []Idle     `json:"idle"`
	Knees        []Knee     `json:"knees"`
	Computed     []Computed `json:"computed"`
	Unavailable  []string   `json:"unavailable"` // tiers, and why
	Failed       []string   `json:"failed"`      // tiers that failed with so many gateways, and why: nothing larger was tried
	Large

	regions int // of relays
}

// measure measures all tiers: for each number of gateways one after the other, so
// that what changes on the machine meanwhile is no tier's own. A tier that fails is
// left out from there on.
func (r *rig) measure(ctx context.Context) (*Result, error) {
	res := &Result{PayloadBytes: r.scenario.PayloadBytes, Unavailable: r.missing, regions: len(r.scenario.Regions)}
	failed := map[string]bool{}
	for _, n := range r.scenario.Gateways {
		for _, t := range r.tiers {
			if failed[t.name] {
				continue
			}
			err := r.try(ctx, t, n, res)
			if err == nil {
				continue
			}
			if ctx.Err() != nil {
				return res, ctx.Err()
			}
			failed[t.name] = true
			res.Failed = append(res.Failed, fmt.Sprintf("%s, %d gateways: %v", t.label, n, err))
			r.progress("%s, %d gateways: %v: left out from here on", t.label, n, err)
			// Those whose order was not obeyed are killed.
			_ = r.clients.Stop()
			if r.clients, err = orders.StartTeam[order, word](r.scenario.Processes, r.binary, r.clientArgs...); err != nil {
				return res, err
			}
		}
	}
	res.conclude()
	return res, nil
}

// try measures one tier with so many gateways, in all modes.
func (r *rig) try(ctx context.Context, t *tier, n int, res *Result) error {
	began := time.Now()
	if err := r.join(ctx, t, n); err != nil {
		return err
	}
	idle := Idle{Tier: t.name, N: n, Connect: time.Since(began).Seconds()}
	base, err := r.rest(ctx, t, &idle)
	if err != nil {
		return err
	}
	res.Idle = append(res.Idle, idle)
	single, err := r.mode(ctx, t, n, base, 0, r.scenario.Singles)
	if err != nil {
		return err
	}
	r.report(&single)
	res.Rows = append(res.Rows, single)
	for _, rate := range r.scenario.Rates {
		due := max(1, int(float64(rate)*r.scenario.Seconds))
		can := max(min(due, 10), int(r.scenario.MaxWork*1000/max(single.Last.P50, 0.001)))
		row, err := r.mode(ctx, t, n, base, rate, min(due, can))
		if err != nil {
			return err
		}
		row.CutShort = can < due
		r.report(&row)
		res.Rows = append(res.Rows, row)
	}
	_, err = r.clients.Each(ctx, func(int) order { return order{Do: "drop"} })
	return err
}

func (r *rig) report(row *Row) {
	short := ""
	if row.CutShort {
		short = ", cut short"
	}
	r.progress("%-26s %5d gateways, %-6s %4d publishes: last receipt p50 %.1f, p99 %.1f ms; lost %d, late %d, doubled %d, made anew %d, astray %d%s",
		label(row.Tier), row.N, row.Mode, row.Publishes, row.Last.P50, row.Last.P99, row.Lost, row.Late, row.Doubled, row.Relinked, row.Astray, short)
}

// share is the part of n gateways that load process i holds.
func (r *rig) share(i, n int) (first, count int) {
	first = n * i / len(r.clients)
	return first, n*(i+1)/len(r.clients) - first
}

// join connects n gateways.
func (r *rig) join(ctx context.Context, t *tier, n int) error {
	if t.look != nil {
		if err := t.look(ctx); err != nil {
			return err
		}
	}
	most := cmp.Or(r.connectTime, connectTime)
	within, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	_, err := r.clients.Each(within, func(i int) order {
		o := t.connect
		o.Do, o.InFlight = "connect", r.atOnce()
		o.First, o.Count = r.share(i, n)
		return o
	})
	if ctx.Err() == nil && within.Err() != nil {
		return fmt.Errorf("not all were connected within %v: %w", most, err)
	}
	return err
}

// atOnce is how many gateways of a process connect at once.
func (r *rig) atOnce() int { return max(1, inFlight/len(r.clients)) }

// rest sees what a tier takes while nothing is published.
func (r *rig) rest(ctx context.Context, t *tier, into *Idle) (rate, error) {
	if err := pause(ctx, settle); err != nil {
		return rate{}, err
	}
	before, err := r.use(t)
	if err != nil {
		return rate{}, err
	}
	if err := pause(ctx, time.Duration(r.scenario.Idle*float64(time.Second))); err != nil {
		return rate{}, err
	}
	now, err := r.use(t)
	if err != nil {
		return rate{}, err
	}
	base := now.since(before).per(now.at.Sub(before.at))
	into.Centre, into.Relays, into.Clients = 1000*base.sum(), 1000*base.relays, 1000*base.clients
	for _, pid := range t.centre {
		m, err := load.MemoryOf(pid)
		if err != nil {
			return base, err
		}
		into.RSS += m.Resident
	}
	return base, nil
}

// mode measures publishes at a rate, or one at a time if that is 0.
func (r *rig) mode(ctx context.Context, t *tier, n int, idle rate, rate, publishes int) (row Row, err error) {
	row = Row{Tier: t.name, N: n, Mode: "single", Rate: rate, Publishes: publishes}
	if rate > 0 {
		row.Mode = fmt.Sprintf("%d/s", rate)
	}
	r.round++
	for _, o := range []order{{Do: "home", InFlight: r.atOnce()}, {Do: "begin", Round: r.round, Publishes: int64(publishes)}} {
		if _, err := r.clients.Each(ctx, func(int) order { return o }); err != nil {
			return row, err
		}
	}
	sentBefore, err := r.sent(ctx, t)
	if err != nil {
		return row, err
	}
	before, err := r.use(t)
	if err != nil {
		return row, err
	}
	if rate == 0 {
		for k := range publishes {
			if err := r.shots(ctx, t, 0, k, 1, &row); err != nil {
				return row, err
			}
			if err := pause(ctx, between); err != nil {
				return row, err
			}
		}
	} else if err := r.shots(ctx, t, rate, 0, publishes, &row); err != nil {
		return row, err
	}
	if err := pause(ctx, settle); err != nil {
		return row, err
	}
	now, err := r.use(t)
	if err != nil {
		return row, err
	}
	sentNow, err := r.sent(ctx, t)
	if err != nil {
		return row, err
	}
	if err := r.tell(ctx, &row); err != nil {
		return row, err
	}
	used := now.since(before)
	row.Wall = now.at.Sub(before.at).Seconds()
	for i, d := range used.centre {
		each := micros(d, idle.centre[i], row.Wall, int64(publishes))
		row.CentreByNode = append(row.CentreByNode, each)
		row.CentreCPU += each
	}
	row.RelaysCPU = micros(used.relays, idle.relays, row.Wall, int64(publishes))
	row.ClientsCPU = micros(used.clients, idle.clients, row.Wall, row.Receipts)
	row.PublisherCPU = micros(used.publisher, 0, row.Wall, int64(publishes))
	row.CentreBytes = (sentNow.centre - sentBefore.centre) / float64(publishes)
	row.RelaysBytes = (sentNow.relays - sentBefore.relays) / float64(publishes)
	row.LoopbackBytes = (sentNow.loopback - sentBefore.loopback) / float64(publishes)
	return row, nil
}

// shots publishes so many from a number on, at a rate or at once if that is 0, and
// waits until all gateways have them.
func (r *rig) shots(ctx context.Context, t *tier, rate, from, publishes int, row *Row) error {
	if err := r.publish(ctx, t, rate, from, publishes); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return r.await(ctx, from, publishes, row)
}

// await waits until all gateways have these publishes, or nothing came for too long.
func (r *rig) await(ctx context.Context, from, publishes int, row *Row) error {
	words, err := r.clients.Each(ctx, func(i int) order {
		_, count := r.share(i, row.N)
		return order{Do: "await", From: int64(from), Publishes: int64(publishes), Count: count, Millis: r.patience.Milliseconds()}
	})
	astray := int64(0)
	for _, w := range words {
		astray += w.Astray
	}
	row.Astray = max(row.Astray, astray)
	return err
}

// tell asks what came of a round. What is missing has one more time to come: then it
// is late, and not lost.
func (r *rig) tell(ctx context.Context, row *Row) error {
	if err := r.await(ctx, 0, row.Publishes, row); err != nil {
		return err
	}
	words, err := r.clients.Each(ctx, func(int) order { return order{Do: "tell"} })
	if err != nil {
		return err
	}
	var took []int64
	last := make([]int64, row.Publishes)
	for _, w := range words {
		row.Receipts += w.Receipts
		row.Late += w.Late
		row.Doubled += w.Doubled
		row.Relinked += w.Relinked
		took = merge(took, w.Took)
		if len(w.Last) != row.Publishes {
			return errors.New("a load process tells of other publishes than there were")
		}
		for k, v := range w.Last {
			last[k] = max(last[k], v)
		}
	}
	row.Lost = int64(row.Publishes)*int64(row.N) - row.Receipts
	row.Receipt, row.Last = counted(took, slices.Max(last)), times(last)
	return nil
}

// publish publishes from a number on at a rate, each by itself, whether those before are through or
// not. A publish that its publisher is late for counts from when it was due; how
// exactly the publisher sleeps doesn't count.
func (r *rig) publish(ctx context.Context, t *tier, rate, from, publishes int) error {
	p := newPayloads(r.scenario.PayloadBytes)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(publishers)
	start := load.Now()
	for k := range publishes {
		at := load.Now()
		if rate > 0 {
			due := start + int64(k)*int64(time.Second)/int64(rate)
			if early := due - at; early > 0 {
				if err := pause(ctx, time.Duration(early)); err != nil {
					break
				}
				at = load.Now()
			} else {
				at = due
			}
		}
		g.Go(func() error { return t.publish(ctx, p.text(stamp{round: r.round, n: int64(from + k), at: at})) })
	}
	return g.Wait()
}
