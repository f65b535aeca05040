package transport

import "runtime/metrics"

// heapWatch tells when Go's collector is about to stop the world, as it does when
// a cycle begins and when it ends. The runtime doesn't say so, but where the heap
// stands: a cycle begins when it has grown by 95 % of what lies between what the
// last cycle found live and the goal (runtime/mgcpacer.go; by 70 % at the least,
// where much was allocated while the last cycle ran), and the heap stays above
// that until the cycle has ended and there is another goal.
//
// The zero value is ready. It is not safe for concurrent use.
type heapWatch struct{ samples []metrics.Sample }

// The runtime's metrics that it looks at.
const (
	heapLive = "/gc/heap/live:bytes"
	heapNow  = "/memory/classes/heap/objects:bytes"
	heapGoal = "/gc/heap/goal:bytes"
)

// collectsSoon reports whether a cycle is near or under way.
func (w *heapWatch) collectsSoon() bool {
	if w.samples == nil {
		w.samples = []metrics.Sample{{Name: heapLive}, {Name: heapNow}, {Name: heapGoal}}
	}
	metrics.Read(w.samples)
	return near(w.samples[0].Value.Uint64(), w.samples[1].Value.Uint64(), w.samples[2].Value.Uint64())
}

const (
	// nearPercent is how much of the way to its goal the heap has come when a cycle
	// is near. Until then come some more calls.
	nearPercent = 90
	// spans is what the pacer may count beyond heapNow, in bytes: it takes what is
	// allocated for whole spans.
	spans = 512 << 10
)

// near reports whether a heap of now bytes, which had live bytes after the last
// cycle, is near its goal.
func near(live, now, goal uint64) bool {
	now += spans
	return now > live && (now-live)*100 >= (max(goal, live)-live)*nearPercent
}
