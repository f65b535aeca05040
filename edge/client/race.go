package client

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"
)

const (
	racers      = 3
	raceTimeout = 3 * time.Second
	// laps are the pings that count; one before them pays for the connection, so that
	// neither names nor handshakes decide.
	laps = 2
	// raceGrace is the least time that the others have once the first is through.
	raceGrace = 100 * time.Millisecond
	// An edge that is named first is left for a quicker one only if that is quicker by
	// more than this, or by more than a part of its round trip: the order that edges
	// are named in knows of load and teams, and a round trip trembles.
	raceSlack     = 10 * time.Millisecond
	raceSlackPart = 4

	// recheckFirst is how long after a reconnect, at most, a client looks whether
	// another edge is nearer, such as the one that it had to leave. It looks again
	// recheckTimes, after twice as long each time: in all a quarter of an hour.
	recheckFirst = 30 * time.Second
	recheckTimes = 5
)

// What a runner has instead of a time.
const (
	runnerFailed time.Duration = -1 // it doesn't answer
	runnerLate   time.Duration = -2 // the race was over before it was through
)

// recheckIn is when to look for the nth time, from 0: not all clients of an edge
// that is back at once.
func recheckIn(n int) time.Duration {
	whole := recheckFirst << n
	return whole/2 + rand.N(whole/2)
}

// race measures the first three edges that were named, and puts the best of them
// in front, those that were through before the others, and those that failed at the
// end of the line. Where none is through, all stays as it is.
func (d *directory) race(ctx context.Context) {
	runners := d.runners()
	took := d.measure(ctx, runners)
	winner := best(took)
	if winner < 0 {
		return
	}
	var through, failed []Edge
	for i, e := range runners {
		switch {
		case took[i] >= 0:
			through = append(through, e)
		case took[i] == runnerFailed:
			failed = append(failed, e)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	rest := slices.DeleteFunc(slices.Clone(d.known), func(e Edge) bool { return slices.ContainsFunc(failed, e.same) })
	d.known = merge([]Edge{runners[winner]}, through, rest, failed)
}

// nearer measures the edge in use beside the first that were named, and reports
// whether one of these is clearly nearer, which is in front then.
func (d *directory) nearer(ctx context.Context, current Edge) bool {
	runners := append([]Edge{current}, slices.DeleteFunc(d.runners(), current.same)...)
	winner := best(d.measure(ctx, runners))
	if winner <= 0 || ctx.Err() != nil {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.known = merge([]Edge{runners[winner]}, d.known)
	return true
}

// runners are the edges to race: none that asked to be left alone, unless all did.
func (d *directory) runners() []Edge {
	d.mu.Lock()
	defer d.mu.Unlock()
	from := merge(d.named)
	if len(from) == 0 {
		from = d.known
	}
	fit := slices.DeleteFunc(slices.Clone(from), func(e Edge) bool { return time.Until(d.rests[restKey(e)]) > 0 })
	if len(fit) == 0 {
		fit = slices.Clone(from)
	}
	return fit[:min(racers, len(fit))]
}

// best is the first whose time is about that of the quickest, -1 if none has one.
func best(took []time.Duration) int {
	quickest := time.Duration(-1)
	for _, t := range took {
		if t >= 0 && (quickest < 0 || t < quickest) {
			quickest = t
		}
	}
	slack := max(raceSlack, quickest/raceSlackPart)
	return slices.IndexFunc(took, func(t time.Duration) bool { return t >= 0 && t <= quickest+slack })
}

// measure is each runner's round trip. They run at once. When one is through, the
// others get as long again: one that needs more than twice the time, connecting
// included, is hardly the nearest.
func (d *directory) measure(ctx context.Context, runners []Edge) []time.Duration {
	ctx, cancel := context.WithTimeout(ctx, raceTimeout)
	defer cancel()
	start := time.Now()
	took := make([]time.Duration, len(runners))
	through := make(chan bool, len(runners)) // whether a runner arrived
	for i, e := range runners {
		go func() {
			took[i] = d.lap(ctx, e)
			through <- took[i] >= 0
		}()
	}
	var late <-chan time.Time
	for left := len(runners); left > 0; {
		select {
		case arrived := <-through:
			left--
			if arrived && late == nil {
				late = time.After(max(raceGrace, time.Since(start)))
			}
		case <-late:
			cancel() // they come through at once, without a time
		}
	}
	return took
}

// lap is the quickest of an edge's pings, over one connection.
func (d *directory) lap(ctx context.Context, e Edge) time.Duration {
	transport := d.transport.Clone()
	transport.DisableKeepAlives = false
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	quickest := raceTimeout
	for i := range 1 + laps {
		start := time.Now()
		if err := get(ctx, client, e.URL, "/v1/ping", nil, nil); err != nil {
			if ctx.Err() != nil {
				return runnerLate
			}
			return runnerFailed
		}
		if i > 0 {
			quickest = min(quickest, time.Since(start))
		}
	}
	return quickest
}
