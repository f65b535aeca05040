package client

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// mostRest bounds what an edge can ask for.
const mostRest = time.Minute

// rests are the edges that asked to be left alone, and until when, by URL.
type rests map[string]time.Time

// restKey makes no other edge of a trailing slash.
func restKey(e Edge) string { return strings.TrimSuffix(e.URL, "/") }

// rest notes that an edge asked to be left alone for a time: the Retry-After of
// its 503, or retry_after_ms of /v1/edges. Clients that it told whole seconds come
// spread over the next.
func (d *directory) rest(e Edge, asked time.Duration) {
	if asked <= 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	for k, until := range d.rests {
		if !now.Before(until) {
			delete(d.rests, k)
		}
	}
	if d.rests == nil {
		d.rests = rests{}
	}
	d.rests[restKey(e)] = now.Add(min(asked, mostRest) + rand.N(time.Second))
}

// choose puts the edges that asked to be left alone behind the others, and returns
// how long to leave the first one alone; 0 = it asked for nothing.
func (d *directory) choose() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.rests) == 0 {
		return 0
	}
	now := time.Now()
	left := func(e Edge) time.Duration { return max(d.rests[restKey(e)].Sub(now), 0) }
	d.known = slices.SortedStableFunc(slices.Values(d.known), func(a, b Edge) int { return cmp.Compare(left(a), left(b)) })
	return left(d.known[0])
}

// resting says whether any edge asked to be left alone, for a time that isn't over.
func (d *directory) resting() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	for _, until := range d.rests {
		if now.Before(until) {
			return true
		}
	}
	return false
}
