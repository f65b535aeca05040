package router

import "container/heap"

// flight is a packet on its way.
type flight struct {
	due   int64  // when it arrives, on the router's clock
	nth   uint64 // keeps the order of those that arrive together
	space int    // where
	size  int    // of the packet, at the begin of bytes
	bytes [mtu]byte
}

// queue has the packets that are on their way. It is bounded: see room.
type queue struct {
	heap flights
	nth  uint64
	idle []*flight // to be used again
}

// most is how many packets are on their way at once: 12 MiB. What comes beyond is
// dropped, as by a router whose queue is full.
const most = 8192

// room is a flight to be filled and pushed, or given up; nil = there is none.
func (q *queue) room() *flight {
	if n := len(q.idle); n > 0 {
		f := q.idle[n-1]
		q.idle = q.idle[:n-1]
		return f
	}
	if len(q.heap) >= most {
		return nil
	}
	return new(flight)
}

func (q *queue) giveUp(f *flight) { q.idle = append(q.idle, f) }

func (q *queue) push(f *flight, due int64) {
	q.nth++
	f.due, f.nth = due, q.nth
	heap.Push(&q.heap, f)
}

// next is when the next one arrives; 0 = there is none.
func (q *queue) next() int64 {
	if len(q.heap) == 0 {
		return 0
	}
	return q.heap[0].due
}

// pop takes the next one that has arrived, nil if there is none. Give it up when it is
// delivered.
func (q *queue) pop(now int64) *flight {
	if len(q.heap) == 0 || q.heap[0].due > now {
		return nil
	}
	return heap.Pop(&q.heap).(*flight)
}

type flights []*flight

func (h flights) Len() int { return len(h) }
func (h flights) Less(i, j int) bool {
	if h[i].due != h[j].due {
		return h[i].due < h[j].due
	}
	return h[i].nth < h[j].nth
}
func (h flights) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *flights) Push(x any)   { *h = append(*h, x.(*flight)) }
func (h *flights) Pop() any {
	old := *h
	last := len(old) - 1
	f := old[last]
	old[last] = nil
	*h = old[:last]
	return f
}
