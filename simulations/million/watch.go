package million

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	machine "selvedge/simulations/limits"
)

// errMemory stops a run before the machine runs out of memory.
var errMemory = errors.New("stopped: the machine runs out of memory")

// sample is a look at the machine.
type sample struct {
	At        float64 `json:"s"`         // since the first connect(2)
	Sockets   int64   `json:"sockets"`   // TCP sockets in this network, both ends of each, half of them
	Available int64   `json:"available"` // bytes; of the machine, or of the control group if that is less
	Edges     float64 `json:"edges"`     // CPUs used since the last sample, by process
	Core      float64 `json:"core"`
	Clients   float64 `json:"clients"`
}

// watcher looks at the machine each second, in a goroutine of its own.
type watcher struct {
	mu      sync.Mutex
	samples []sample      // guarded by mu; while recording
	start   time.Time     // guarded by mu; of the recording, zero = none
	least   int64         // guarded by mu; the least memory that was available, in bytes
	told    time.Duration // since when nobody was told how far it is
}

// lookEvery is the time between two samples, and tellEvery between two lines of
// progress while they are recorded.
const lookEvery, tellEvery = time.Second, 10 * time.Second

// watch looks until ctx is done. It gives up the run, by stop, when memory runs
// out or a node has ended.
func (w *watcher) watch(ctx context.Context, r *rig, stop context.CancelCauseFunc) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	reserve := r.scenario.Estimate.ReserveMiB * mib / 2
	before, _ := r.usage() // one that fails makes one sample too large
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, n := range append(slices.Clip(r.fleet.Edges), r.fleet.Core) {
			select {
			case <-n.Done():
				if ctx.Err() == nil {
					stop(fmt.Errorf("%s has ended: %s", n.Name, n.Log()))
				}
				return
			default:
			}
		}
		now, err := r.usage()
		if err != nil {
			continue // a load process has ended: whoever gave it an order knows why
		}
		k, err := readKernel()
		if err != nil {
			stop(err)
			return
		}
		available := machine.Least(k.Available, machine.GroupMemory())
		if err := suffices(available, reserve); err != nil {
			stop(err)
			return
		}
		w.add(r, available, now.since(before))
		before = now
	}
}

// suffices fails if too little memory is available to go on.
func suffices(available, reserve int64) error {
	if available >= reserve {
		return nil
	}
	return fmt.Errorf("%w: %.2f GiB are available, half of what was to be left to it are %.2f", errMemory, float64(available)/gib, float64(reserve)/gib)
}

func (w *watcher) add(r *rig, available int64, s spent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.least == 0 || available < w.least {
		w.least = available
	}
	if w.start.IsZero() {
		return
	}
	n, err := sockets()
	if err != nil {
		return // it was there a second ago
	}
	cpus := func(d time.Duration) float64 { return float64(d) / float64(s.took) }
	w.samples = append(w.samples, sample{
		At: time.Since(w.start).Seconds(), Sockets: n / 2, Available: available,
		Edges: cpus(s.edges), Core: cpus(s.core), Clients: cpus(s.clients),
	})
	if w.told += s.took; w.told >= tellEvery {
		w.told = 0
		r.progress("about %d sockets, %.1f GiB available; CPUs: edges %.2f, core %.2f, load %.2f",
			n/2, float64(available)/gib, cpus(s.edges), cpus(s.core), cpus(s.clients))
	}
}

// record begins to keep samples.
func (w *watcher) record() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.samples, w.start = nil, time.Now()
}

// recorded ends that.
func (w *watcher) recorded() []sample {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.start = time.Time{}
	return w.samples
}

// lowest is the least memory that was available so far, in bytes.
func (w *watcher) lowest() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.least
}
