package storm

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"selvedge/simulations/fleet"
	"selvedge/simulations/load"
)

// look reads what the core and the edges that live counted.
func (k *kill) look(ctx context.Context) (counts, error) {
	core, err := fleet.ReadMetrics(ctx, k.fleet.Core.Admin)
	if err != nil {
		return counts{}, err
	}
	edges := make([]fleet.Metrics, len(k.fleet.Edges))
	for i, e := range k.fleet.Edges {
		select {
		case <-e.Done():
			continue
		default:
		}
		if edges[i], err = fleet.ReadMetrics(ctx, e.Admin); err != nil {
			return counts{}, err
		}
	}
	// What the killed edge had counted is none of the storm.
	return count(core, append([]fleet.Metrics{nil}, edges[1:]...)), nil
}

// used is CPU time.
type used struct{ edges, core, clients time.Duration }

func (u used) since(before used) used {
	return used{u.edges - before.edges, u.core - before.core, u.clients - before.clients}
}

// beyond is what of u is more than so many times what was used else.
func (u used) beyond(calm used, times float64) used {
	more := func(d, calm time.Duration) time.Duration { return max(0, d-time.Duration(times*float64(calm))) }
	return used{more(u.edges, calm.edges), more(u.core, calm.core), more(u.clients, calm.clients)}
}

// usage is what the siblings, the core and the members' processes used so far.
func (k *kill) usage() (u used, err error) {
	add := func(to *time.Duration, pid int) {
		d, failed := load.CPU(pid)
		err = errors.Join(err, failed)
		*to += d
	}
	for _, e := range k.fleet.Edges[1:] {
		add(&u.edges, e.PID())
	}
	add(&u.core, k.fleet.Core.PID())
	for _, w := range k.team {
		add(&u.clients, w.PID())
	}
	return u, err
}

// killLookTime is between two looks at the real nodes, whose metrics cost CPU.
const killLookTime = 250 * time.Millisecond

// watch notes what there is, until ctx ends. before is the CPU used before the kill.
func (k *kill) watch(ctx context.Context, before used) {
	last := k.began
	every(ctx, killLookTime, func() {
		c, err := k.look(ctx)
		u, failed := k.usage()
		at := now()
		k.mu.Lock()
		if err == nil { // else there is a gap in the line
			k.line = append(k.line, c.moment(at-k.began, 0))
		}
		if failed == nil {
			d := u.since(before)
			per := func(t time.Duration) float64 { return math.Round(1000*float64(t)/float64(at-last)) / 1000 }
			k.cpu = append(k.cpu, CPU{seconds(at - k.began), per(d.edges), per(d.core), per(d.clients)})
			before, last = u, at
		}
		k.mu.Unlock()
	})
}

// travelled tells what members did since the kill. One that had more than one trip is
// back with the last.
func (out *Kill) travelled(words []crewWord, began time.Duration) {
	first, last := map[int]Trip{}, map[int]Trip{}
	tries := 0
	for _, w := range words {
		for _, t := range w.Trips {
			if t.Member >= out.Movers {
				out.Disturbed++
				continue
			}
			if _, again := first[t.Member]; !again {
				first[t.Member] = t
			}
			last[t.Member] = t
			if tries += t.Tries; t.Afresh {
				out.Afresh++
			}
		}
		for _, t := range w.Tries {
			out.tries = append(out.tries, t-began)
		}
	}
	var knew []time.Duration
	for _, t := range first {
		knew = append(knew, t.Lost-began)
	}
	for _, t := range last {
		out.returns = append(out.returns, t.Back-began)
	}
	out.Back, out.Lost = spread(out.returns), spread(knew)
	n := len(out.returns)
	if n == 0 {
		return
	}
	out.took = out.returns[n-1]
	out.Tries = math.Round(100*float64(tries)/float64(n)) / 100
	out.Rate, out.Busy = pace(out.returns)
}

// Edges put hellos together while more than slowRate of a second's resume. Before each of
// them knows of the storm and after it is over, every client is a question: eagerQuestions
// per edge are no storm's.
const (
	slowRate       = 20
	eagerQuestions = 50
	// hellosAQuestion is how many clients a question is taken to ask for, on average, in a
	// storm; at most it is wire.MaxHellos, 64.
	hellosAQuestion = 48
)

// mayAsk is how often the core may be asked: Bound, in a storm. Of clients so slow that they are no storm, each is asked for.
func (out *Kill) mayAsk() int {
	most := max(out.Bound, eagerQuestions*out.siblings)
	if out.Rate <= float64(slowRate*out.siblings) {
		return max(most, out.Movers)
	}
	return most
}

// delays tells how late messages were at those who stay, by when they were sent: one that
// the storm holds up belongs to it even if it comes after.
func (out *Kill) delays() {
	var calm, storm []time.Duration
	for _, l := range out.late {
		switch {
		case l.At < 0 && l.At >= -calmTime:
			calm = append(calm, l.Took)
		case l.At >= 0 && l.At < out.took:
			storm = append(storm, l.Took)
		}
	}
	out.Calm, out.Storm = lateness(calm), lateness(storm)
	slices.SortFunc(out.late, func(a, b Lateness) int { return cmp.Compare(a.At, b.At) })
}

func lateness(times []time.Duration) Late {
	slices.Sort(times)
	n := len(times)
	if n == 0 {
		return Late{}
	}
	ms := func(q float64) float64 {
		return math.Round(float64(times[int(math.Ceil(q*float64(n)))-1])/1e3) / 1e3
	}
	return Late{n, ms(0.5), ms(0.99), ms(1)}
}
