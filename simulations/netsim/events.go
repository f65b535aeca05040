package netsim

import "container/heap"

// event is something that happens at a time. Those of one time happen in the
// order of their links, and on a link in the order in which they were added.
type event struct {
	at     int64 // Unix nanoseconds
	link   uint64
	n      uint64
	happen func() // with Network.mu held
}

// events are those that are to come.
type events struct {
	heap eventHeap
	n    uint64
}

func (es *events) add(at int64, link uint64, happen func()) {
	es.n++
	heap.Push(&es.heap, event{at, link, es.n, happen})
}

// next takes the first event that is due.
func (es *events) next(now int64) (event, bool) {
	if len(es.heap) == 0 || es.heap[0].at > now {
		return event{}, false
	}
	return heap.Pop(&es.heap).(event), true
}

type eventHeap []event

func (h eventHeap) Len() int { return len(h) }
func (h eventHeap) Less(i, j int) bool {
	a, b := &h[i], &h[j]
	switch {
	case a.at != b.at:
		return a.at < b.at
	case a.link != b.link:
		return a.link < b.link
	}
	return a.n < b.n
}
func (h eventHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *eventHeap) Push(x any)   { *h = append(*h, x.(event)) }
func (h *eventHeap) Pop() any {
	old := *h
	last := len(old) - 1
	e := old[last]
	old[last] = event{}
	*h = old[:last]
	return e
}
