package faults

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"selvedge/simulations/fleet"
	"selvedge/wire"
)

const (
	// relayStall is how long nothing may be delivered by an edge whose relay died: the
	// link is given up after 1.3 to 1.9 s, and then a core is asked.
	relayStall = 3 * time.Second
	// relayRate is how many messages a second this part publishes.
	relayRate = 1000
	// countFor is how long ocean frames are counted.
	countFor = 5 * time.Second
)

var relayKill = scenario{
	name:  "relay-kill",
	fault: "three regions of four edges at 1,000 publishes/s; kill -9 of a relay, then of another region's",
	must:  "a frame crosses the ocean once for each region that wants it, other than the core's; after a kill no edge stands still for 3 s; nothing is lost, doubled or out of order",
	run: func(ctx context.Context, r *run) error {
		var regions []string
		for _, name := range []string{"us-east", "eu-west", "ap-southeast"} {
			regions = append(regions, slices.Repeat([]string{name}, 4)...)
		}
		// Every room has members at every edge, so every region wants every frame.
		c := crowd{rooms: 24, members: 96, perMember: 24}
		if r.Quick {
			c = crowd{rooms: 12, members: 24, perMember: 12}
		}
		if err := r.gather(ctx, fleet.Config{Regions: regions}, c); err != nil {
			return err
		}
		if err := r.relayed(ctx, 3); err != nil {
			return err
		}
		rate := relayRate
		if r.Quick {
			rate = 200
		}
		r.publish(ctx, c.rooms, rate, 200, r.fleet.Core.URL)
		if err := pause(ctx, 2*time.Second); err != nil {
			return err
		}
		if err := r.crossings(ctx, 2); err != nil {
			return err
		}
		for _, killed := range []int{5, 9} { // one in eu-west, one in ap-southeast
			if err := r.relayDies(ctx, killed); err != nil {
				return err
			}
		}
		if err := r.relayed(ctx, 3); err != nil {
			return err
		}
		if err := r.crossings(ctx, 2); err != nil {
			return err
		}
		r.load.stop()
		return r.settle(ctx)
	},
}

// fedLogs is how many logs the core feeds, over all its links.
func (r *run) fedLogs(ctx context.Context) (n int, err error) {
	var state struct {
		Links []struct {
			Logs int `json:"logs"`
		} `json:"links"`
	}
	if err := fleet.ReadState(ctx, r.fleet.Core.Admin, &state); err != nil {
		return 0, err
	}
	for _, l := range state.Links {
		n += l.Logs
	}
	return n, nil
}

// relayed waits until the core feeds each log once to each of so many regions.
func (r *run) relayed(ctx context.Context, regions int) error {
	var n int
	var broken error
	began := time.Now()
	if err := r.until(ctx, callTime, "the core feeds each log once to each region", func() bool {
		n, broken = r.fedLogs(ctx)
		return broken != nil || n == regions*frameLogs
	}); err != nil {
		return fmt.Errorf("%w: it feeds %d", err, n)
	}
	if broken == nil {
		r.saw("after %v the core feeds %d logs to %d regions", time.Since(began).Round(100*time.Millisecond), n, regions)
	}
	return broken
}

// frameLogs is how many there are if nothing else is said.
const frameLogs = 16

// crossings counts for a while how often frames leave the core, for each publish.
func (r *run) crossings(ctx context.Context, ocean float64) error {
	read := func() (far, near float64, acked int64, err error) {
		m, err := fleet.ReadMetrics(ctx, r.fleet.Core.Admin)
		return m[`selvedge_link_frames_total{direction="out",scope="ocean"}`], m[`selvedge_link_frames_total{direction="out",scope="region"}`], r.load.acked.Load(), err
	}
	far, near, acked, err := read()
	if err != nil {
		return err
	}
	if err := pause(ctx, countFor); err != nil {
		return err
	}
	far2, near2, acked2, err := read()
	if err != nil {
		return err
	}
	n := float64(acked2 - acked)
	r.saw("%.0f publishes in %v: %.3f frames each over the ocean, %.3f within the region", n, countFor, (far2-far)/n, (near2-near)/n)
	// What is on its way at either end of the count is not in both numbers.
	if off := (far2 - far) / n; off > ocean*1.02 || off < ocean*0.98 {
		return fmt.Errorf("a frame left the core %.3f times over the ocean, %.0f regions want it: %w", off, ocean, errBroken)
	}
	return nil
}

// relayDies kills an edge, and watches the others of its region.
func (r *run) relayDies(ctx context.Context, killed int) error {
	n := len(r.fleet.Edges)
	first := killed / 4 * 4
	var watched []*member
	for i, m := range r.members {
		if e := i % n; e != killed && e >= first && e < first+4 {
			watched = append(watched, m)
		}
	}
	w, own := watch(watched), newStillness()
	r.load.pauses.Store(own)
	if err := pause(ctx, time.Second); err != nil { // each channel was seen once
		return err
	}
	r.fleet.Edges[killed].Kill()
	if err := pause(ctx, 12*time.Second); err != nil {
		return err
	}
	longest := w.stop()
	r.load.pauses.Store(nil)
	r.saw("%s (%s) killed: its siblings' %d members got nothing of some room for %v at most; a room's publisher had no answer for %v at most", r.fleet.Edges[killed].Name, []string{"us-east", "eu-west", "ap-southeast"}[killed/4], len(watched), longest.Round(10*time.Millisecond), own.most().Round(10*time.Millisecond))
	if longest > relayStall {
		return fmt.Errorf("%v without a delivery: %w", longest, errBroken)
	}
	return nil
}

// stillness finds the longest time in which somebody got nothing of one channel.
type stillness struct {
	mu      sync.Mutex
	last    map[[2]string]time.Time // guarded by mu; by whom and channel
	longest time.Duration           // guarded by mu
	members []*member               // fixed; those that tell it
}

func newStillness(members ...*member) *stillness {
	return &stillness{last: map[[2]string]time.Time{}, members: members}
}

// watch begins with members who get something of all their channels all the time.
func watch(members []*member) *stillness {
	w := newStillness(members...)
	for _, m := range members {
		m.watched.Store(w)
	}
	return w
}

// saw takes note of a message.
func (w *stillness) saw(user string, ch wire.Channel) {
	now, key := time.Now(), [2]string{user, string(ch)}
	w.mu.Lock()
	defer w.mu.Unlock()
	if last, ok := w.last[key]; ok {
		w.longest = max(w.longest, now.Sub(last))
	}
	w.last[key] = now
}

// stop ends it, and is most.
func (w *stillness) stop() time.Duration {
	for _, m := range w.members {
		m.watched.Store(nil)
	}
	return w.most()
}

// most is the longest time. What still stands still counts as well.
func (w *stillness) most() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, last := range w.last {
		w.longest = max(w.longest, time.Since(last))
	}
	return w.longest
}
