package faults

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"selvedge/simulations/fleet"
	"selvedge/simulations/ledger"
	"selvedge/wire"
)

// backTime is how long the members of a dead edge may take to be elsewhere.
const backTime = time.Minute

// edgeDeliveries is how many deliveries per second this part aims at: what is
// looked at is the storm.
const edgeDeliveries = 8000

var edgeKill = scenario{
	name:  "edge-kill",
	fault: "kill -9 of one of three edges, with --sockets each, under load",
	must:  "all its members are back at its siblings and caught up; the core's requests grow by no more than channels + edges; nothing is lost, doubled or out of order",
	run: func(ctx context.Context, r *run) error {
		if err := r.start(ctx, fleet.Config{
			Regions:   []string{"us-east", "eu-west", "ap-southeast"},
			EdgeFlags: []string{"--max-sockets", fmt.Sprint(r.Sockets*3/2 + 100)},
		}); err != nil {
			return err
		}
		c := crowd{rooms: min(200, r.Sockets), members: 3 * r.Sockets, perMember: min(5, r.Sockets)}
		r.progress("%d members in %d of %d rooms each", c.members, c.perMember, c.rooms)
		if err := r.populate(ctx, c); err != nil {
			return err
		}
		m, err := startMass(r.binary, c.members)
		if err == nil {
			err = r.edgeKill(ctx, c, m)
		}
		return errors.Join(err, m.Stop())
	},
}

func (r *run) edgeKill(ctx context.Context, c crowd, m mass) error {
	n := len(m)
	if _, err := m.Each(ctx, func(i int) massOrder {
		first := c.members * i / n
		return massOrder{
			Do: "connect", URLs: r.fleet.EdgeURLs(), Crowd: [3]int{c.rooms, c.members, c.perMember},
			First: first, Count: c.members*(i+1)/n - first,
		}
	}); err != nil {
		return err
	}
	rate := max(edgeDeliveries*c.rooms/(c.members*c.perMember), 1)
	r.publish(ctx, c.rooms, rate, 200, r.fleet.Core.URL)
	if _, err := r.taken(ctx, callTime, c.rooms/2); err != nil {
		return err
	}
	const requests = "selvedge_core_requests_total"
	before, err := fleet.ReadMetrics(ctx, r.fleet.Core.Admin)
	if err != nil {
		return err
	}
	const killed = 1
	began := time.Now()
	r.fleet.Edges[killed].Kill()
	words, err := m.Each(ctx, func(int) massOrder { return massOrder{Do: "back", Killed: killed} })
	if err != nil {
		return err
	}
	movers, last := 0, int64(0)
	for _, w := range words {
		movers += w.Movers
		last = max(last, w.Last)
	}
	r.saw("%d movers, the last welcome %v after the kill", movers, time.UnixMilli(last).Sub(began).Round(time.Millisecond))
	if err := pause(ctx, 2*time.Second); err != nil {
		return err
	}
	r.load.stop()
	sums, err := m.Each(ctx, func(int) massOrder { return massOrder{Do: "account", Acked: r.load.counts()} })
	if err != nil {
		return err
	}
	if err := r.massKept(sums, movers); err != nil {
		return err
	}
	after, err := fleet.ReadMetrics(ctx, r.fleet.Core.Admin)
	if err != nil {
		return err
	}
	var parts []string
	kinds, now := before.Labelled(requests), after.Labelled(requests)
	for _, k := range slices.Sorted(maps.Keys(now)) {
		if d := now[k] - kinds[k]; d > 0 {
			parts = append(parts, fmt.Sprintf("%.0f %s", d, k))
		}
	}
	grew, bound := int(after.Sum(requests)-before.Sum(requests)), c.rooms+len(r.fleet.Edges)
	r.saw("%s grew by %d (%s); channels + edges are %d", requests, grew, strings.Join(parts, ", "), bound)
	if grew > bound {
		return fmt.Errorf("the core got %d requests, more than %d", grew, bound)
	}
	return nil
}

// massKept adds the accounts of all processes up.
func (r *run) massKept(sums []massWord, movers int) error {
	var all ledger.Result
	var resumed, afresh int64
	for _, s := range sums {
		all.Acknowledged = s.Result.Acknowledged // the same everywhere
		all.Expected += s.Result.Expected
		all.Delivered += s.Result.Delivered
		all.Lost += s.Result.Lost
		all.Duplicated += s.Result.Duplicated
		all.OutOfOrder += s.Result.OutOfOrder
		for _, p := range s.Problems {
			r.progress("%s", p)
		}
		resumed += s.Resumed
		afresh += s.Afresh
	}
	r.saw("%v; %d resumes, %d starts afresh", all, resumed, afresh)
	switch {
	case !all.Kept():
		return errBroken
	case afresh > 0 || int(resumed) < movers:
		return fmt.Errorf("%d of %d movers resumed", resumed, movers)
	}
	return nil
}

// counts is how many messages there are, by channel; all of them are
// acknowledged if none failed. Valid after stop.
func (p *publishers) counts() map[wire.Channel]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.numbered
}
