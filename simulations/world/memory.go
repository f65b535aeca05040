package world

import (
	"context"
	"fmt"
	"runtime"
	"time"
)

// Memory bounds what queues may take while faults hold.
type Memory struct {
	// From and To are when the heap is looked at, after the load's beginning: before
	// the faults, and before they end.
	From, To time.Duration
	// Grown bounds what the heap of all nodes together has more at To, in bytes,
	// besides what the simulated log keeps. What was published since From should be
	// a multiple of it.
	Grown int64
	// Queued bounds what one node has in its sockets, in bytes, at any time.
	Queued int
}

const lookEvery = 250 * time.Millisecond

// used is what was seen of memory.
type used struct {
	bound  *Memory
	before int64
	after  int64
	queued map[string]int // by node, the most
}

// watch looks until ctx ends.
func (u *used) watch(ctx context.Context, w *World) {
	begin := time.Now()
	u.queued = map[string]int{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(lookEvery):
		}
		at := time.Since(begin)
		if u.before == 0 && at >= u.bound.From {
			u.before = heap(w)
		}
		if u.after == 0 && at >= u.bound.To {
			u.after = heap(w)
		}
		for _, n := range append(w.Cores, w.Edges...) {
			u.queued[n.Name] = max(u.queued[n.Name], w.Net.Pending(n.Host))
		}
	}
}

// heap is what is in use, garbage and the simulated log aside.
func heap(w *World) int64 {
	runtime.GC()
	runtime.GC() // what pools had
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) - w.Logs.Bytes()
}

func (u *used) report(published int64, report *Report) {
	grown, most := u.after-u.before, 0
	for _, bytes := range u.queued {
		most = max(most, bytes)
	}
	report.Measured = append(report.Measured, fmt.Sprintf("heap grown by %d KiB, while %d KiB were published in all; at most %d KiB in a node's sockets", grown>>10, published>>10, most>>10))
	if grown > u.bound.Grown {
		report.Problems = append(report.Problems, fmt.Sprintf("the heap has grown by %d bytes, %d are allowed", grown, u.bound.Grown))
	}
	if most > u.bound.Queued {
		report.Problems = append(report.Problems, fmt.Sprintf("the sockets of one node had %d bytes, %d are allowed: %v", most, u.bound.Queued, u.queued))
	}
	if u.before == 0 || u.after == 0 || published < 2*u.bound.Grown {
		report.Problems = append(report.Problems, fmt.Sprintf("the memory that was looked at proves nothing: %+v, %d bytes published", *u, published))
	}
}
