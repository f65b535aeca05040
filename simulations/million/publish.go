package million

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"selvedge/core/client"
	"selvedge/simulations/load"
	"selvedge/wire"
)

// delivery is one publish and what came of it.
type delivery struct {
	round    load.Round
	start    int64 // load.Now, before the call
	accepted time.Duration
	used     spent
	wanted   int64
}

func (d *delivery) last() time.Duration {
	if !d.round.Complete {
		return 0
	}
	return time.Duration(d.round.Last - d.start)
}

func (d *delivery) lost() int64    { return max(d.wanted-d.round.Frames, 0) }
func (d *delivery) doubled() int64 { return max(d.round.Frames-d.wanted, 0) }

// deliver publishes message n to a room whose members are counted by members, and
// waits until all have it.
func (r *rig) deliver(ctx context.Context, n int, room wire.RoomID, members func(first, count int) int) (d delivery, err error) {
	s := r.scenario
	data, err := load.Texts{Seed: r.seed, Size: s.MessageBytes}.Data(n)
	if err != nil {
		return d, err
	}
	d.wanted = int64(members(0, s.Sockets))
	if err := r.clients.ExpectTimed(ctx, group, s.Sockets, members); err != nil {
		return d, err
	}
	stats, err := r.clients.Stats(ctx, group)
	if err != nil {
		return d, err
	}
	before, err := r.usage()
	if err != nil {
		return d, err
	}
	d.start = load.Now()
	if _, err := r.api.Publish(ctx, client.Message{Channel: wire.RoomChannel(room), Data: data, From: load.From}); err != nil {
		return d, err
	}
	d.accepted = time.Duration(load.Now() - d.start)
	if d.round, err = r.clients.Await(ctx, group, s.Patience); err != nil {
		return d, err
	}
	if err := wait(ctx, quiet); err != nil {
		return d, err
	}
	now, err := r.usage()
	if err != nil {
		return d, err
	}
	later, err := r.clients.Stats(ctx, group)
	d.used = now.since(before)
	d.used.pings = later.Pings - stats.Pings
	return d, err
}

// publishToAll publishes to the room of all, several times.
func (r *rig) publishToAll(ctx context.Context, idle spent) error {
	s := r.scenario
	var all []delivery
	for n := range s.Publishes {
		d, err := r.deliver(ctx, n, allRoom, func(_, count int) int { return count })
		if err != nil {
			return err
		}
		all = append(all, d)
		r.out.Publish.Lost += d.lost()
		r.out.Publish.Doubled += d.doubled()
		r.out.Publish.Lasts = append(r.out.Publish.Lasts, millis(d.last()))
		r.progress("to all, %d of %d: %d of %d receipts, the last after %.0f ms", n+1, s.Publishes, d.round.Frames, d.wanted, millis(d.last()))
		if !d.round.Complete {
			return fmt.Errorf("%w: %d of %d sockets got message %d", errFault, d.round.Frames, d.wanted, n)
		}
	}
	slices.SortFunc(all, func(a, b delivery) int { return cmp.Compare(a.last(), b.last()) })
	d := all[(len(all)-1)/2]
	used := d.used.less(idle)
	p := &r.out.Publish
	p.Publishes, p.Members = s.Publishes, s.Sockets
	p.Last, p.Accepted = millis(d.last()), millis(d.accepted)
	p.P50, p.P99 = millis(d.round.Receipts.Quantile(d.start, 0.5)), millis(d.round.Receipts.Quantile(d.start, 0.99))
	p.Edge, p.Client = micros(used.edges, s.Sockets), micros(used.clients, s.Sockets)
	p.Core = micros(used.core, 1)
	r.out.Details.Curve = curve([]delivery{d})
	return nil
}

// chooser decides which teams are published to.
func (r *rig) chooser() *rand.Rand { return rand.New(rand.NewPCG(r.seed, 1)) }

// publishToTeams publishes to rooms of a team, one after the other.
func (r *rig) publishToTeams(ctx context.Context) error {
	s := r.scenario
	choose := r.chooser()
	var all []delivery
	t := &r.out.Teams
	for n := range s.TeamPublishes {
		team := choose.IntN(s.teams())
		d, err := r.deliver(ctx, s.Publishes+n, teamRoom(team), func(first, count int) int { return s.members(team, first, count) })
		if err != nil {
			return err
		}
		if !d.round.Complete {
			return fmt.Errorf("%w: %d of %d members of %s got message %d", errFault, d.round.Frames, d.wanted, teamRoom(team), n)
		}
		all = append(all, d)
		t.Lost += d.lost()
		t.Doubled += d.doubled()
		t.Receipts += d.round.Frames
	}
	t.Publishes, t.Members = s.TeamPublishes, s.Team
	var lasts []time.Duration
	for _, d := range all {
		lasts = append(lasts, d.last())
		t.Lasts = append(t.Lasts, millis(d.last()))
		t.Max = max(t.Max, millis(d.last()))
	}
	slices.Sort(lasts)
	t.LastP50 = millis(lasts[(len(lasts)-1)/2])
	one := together(all)
	t.P50, t.P99 = millis(one.Quantile(0, 0.5)), millis(one.Quantile(0, 0.99))
	r.out.Details.Rooms = curve(all)
	r.progress("to teams of %d: %d receipts, p50 %.1f ms, p99 %.1f ms, the last of all %.1f ms", s.Team, t.Receipts, t.P50, t.P99, t.Max)
	return nil
}

// wantedByTeams is how many messages all sockets together got from their teams.
func (r *rig) wantedByTeams() (n int64) {
	choose := r.chooser()
	for range r.out.Teams.Publishes {
		n += int64(r.scenario.members(choose.IntN(r.scenario.teams()), 0, r.scenario.Sockets))
	}
	return n
}

// together are the receipts of several messages, from each one's publish.
func together(all []delivery) load.Receipts {
	var out load.Receipts
	for _, d := range all {
		for _, one := range d.round.Receipts {
			out = append(out, load.Receipt{At: one.At - d.start, N: one.N})
		}
	}
	slices.SortFunc(out, func(a, b load.Receipt) int { return cmp.Compare(a.At, b.At) })
	return out
}

// curvePoints is how many points a curve has.
const curvePoints = 200

// curve is how the receipts came.
func curve(all []delivery) (points []Point) {
	one := together(all)
	if len(one) == 0 {
		return nil
	}
	for i := range curvePoints + 1 {
		part := float64(i) / curvePoints
		points = append(points, Point{At: max(millis(one.Quantile(0, part)), 0), Part: part})
	}
	return points
}
