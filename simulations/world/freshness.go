package world

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"selvedge/edge/client"
	"selvedge/simulations/netsim"
	"selvedge/wire"
)

const (
	// staleAfter is when an answer of an edge that hears of no watermark must say so;
	// its last one may have come a second and a way after the cut began, or been asked
	// for by a core a second and two ways before.
	staleAfter = 3 * time.Second
	onItsWay   = 1500 * time.Millisecond
	// freshAgain is how long after a cut all answers are fresh again: links have
	// been made again and logs opened.
	freshAgain = 12 * time.Second
	// mostHurried is how many answers, or how many in a hundred, may be said to be old
	// as changes came all the time; some edges hold next to nothing.
	mostHurried = 4
	askEvery    = 800 * time.Millisecond
)

// Freshness is what answers should say of their age: stale while an edge can't
// know where the logs end, and not while it can. What is between, is not judged.
type Freshness struct {
	// Least is how many answers must be seen of either kind, if there are faults that
	// call for it.
	Least int
}

// answers counts what was said.
type answers struct {
	cuts []cut // fixed

	mu       sync.Mutex
	stale    int      // guarded by mu; that had to be, and were
	fresh    int      // guarded by mu; likewise
	hurried  int      // guarded by mu; were said to be old, for the changes that came all the time
	problems []string // guarded by mu
}

// cut is a time when something keeps an edge from what it follows. If it is dark,
// the edge hears no core that knows where the logs end, until the time is over;
// else another core will tell it soon.
type cut struct {
	edge     string
	dark     bool
	near     bool // siblings may still feed it frames: of those nothing is judged
	from, to time.Duration
}

// cutsOf finds what faults do to the edges.
func (w *World) cutsOf(faults []netsim.Fault) (out []cut) {
	cores := w.coreHosts()
	for _, f := range faults {
		for _, e := range w.Edges {
			apart := f.Cut && slices.Contains(f.Hosts, e.Host) && contains(f.Others, cores)
			stalled := f.Stall && contains(f.Hosts, cores)
			scattered := f.Cut && len(cores) > 1 && contains(f.Hosts, cores) && contains(f.Others, cores)
			near := apart && slices.ContainsFunc(w.Edges, func(o *Node) bool {
				return o != e && w.places[o.Host].Name == w.places[e.Host].Name && !slices.Contains(f.Others, o.Host)
			})
			out = append(out, cut{e.Name, apart || stalled || scattered, near, f.At, f.At + f.For})
		}
	}
	return out
}

func contains(all, some []netsim.Host) bool {
	return !slices.ContainsFunc(some, func(h netsim.Host) bool { return !slices.Contains(all, h) })
}

// judge says whether an answer that was asked for and had between two times had
// to be stale, or must not be.
func (a *answers) judge(edge string, frames bool, from, to time.Duration) (stale, fresh bool) {
	fresh = true
	for _, c := range a.cuts {
		if c.edge != edge {
			continue
		}
		if c.near && frames {
			fresh = fresh && (to < c.from || from > c.to+freshAgain)
			continue
		}
		again := c.from + freshAgain
		if c.dark {
			again = c.to + freshAgain
		}
		stale = stale || c.dark && from > c.from+staleAfter+onItsWay && to < c.to
		fresh = fresh && (to < c.from+staleAfter-onItsWay || from > again)
	}
	return stale, fresh
}

// ask has a client read until ctx ends: its rooms, or the end of a channel that it
// is in. A session's requests are answered one after the other, so each client asks
// for one kind only.
func (a *answers) ask(ctx context.Context, c *Client, rooms bool, ch wire.Channel) {
	read := func() (stale bool, err error) {
		h, err := c.History(ctx, ch, client.Range{Limit: 1})
		return h.Stale, err
	}
	if rooms {
		read = func() (stale bool, err error) {
			r, err := c.Rooms(ctx, client.Page{})
			return r.Stale, err
		}
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(askEvery):
		}
		edge, session := c.session()
		from := c.w.Net.Since()
		said, err := read()
		to := c.w.Net.Since()
		if now, same := c.session(); err != nil || edge == "" || now != edge || same != session {
			continue
		}
		a.heard(edge, !rooms, false, from, to, said)
	}
}

// heard takes an answer. hurried says that it is of several things, and that changes
// came all the time: then it may be said to be old, as it may be of no one moment.
func (a *answers) heard(edge string, frames, hurried bool, from, to time.Duration, said bool) {
	stale, fresh := a.judge(edge, frames, from, to)
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case stale && !said:
		a.problems = append(a.problems, fmt.Sprintf("at %v: an answer of %s is old, and is not said to be", to, edge))
	case fresh && said && hurried:
		a.hurried++
	case fresh && said:
		a.problems = append(a.problems, fmt.Sprintf("at %v: an answer of %s is said to be old, and is not", to, edge))
	case stale:
		a.stale++
	case fresh:
		a.fresh++
	}
}

// report tells what was seen.
func (a *answers) report(f *Freshness, report *Report) {
	a.mu.Lock()
	defer a.mu.Unlock()
	report.Measured = append(report.Measured, fmt.Sprintf("%d answers were said to be old, as they had to be; %d were not, as they had to be", a.stale, a.fresh))
	report.Problems = append(report.Problems, a.problems...)
	if a.hurried > 0 {
		report.Measured = append(report.Measured, fmt.Sprintf("%d were, as changes came all the time", a.hurried))
	}
	if a.hurried > mostHurried && a.hurried > a.fresh*mostHurried/100 {
		report.Problems = append(report.Problems, fmt.Sprintf("%d answers were said to be old for the changes that came, of %d others", a.hurried, a.fresh))
	}
	dark := slices.ContainsFunc(a.cuts, func(c cut) bool { return c.dark })
	if dark && a.stale < f.Least || a.fresh < f.Least {
		report.Problems = append(report.Problems, fmt.Sprintf("only %d stale and %d fresh answers were seen: %d of each prove something", a.stale, a.fresh, f.Least))
	}
}
