package delay

import (
	"bytes"
	"container/heap"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// overhead is what a datagram costs beside its bytes.
const overhead = 128

// packet is a datagram under way.
type packet struct {
	data []byte
	peer net.Addr
	key  peerKey
	due  time.Time // when it arrives
	nth  uint64    // keeps the order of packets that arrive together
}

// queue is one direction: packets by the time at which they arrive. It is bounded
// in bytes: what finds no room is dropped.
type queue struct {
	limit int

	// wake has room for one token, put there when something changed that pop waits
	// for. Who takes it and leaves something for others puts it back. Never closed.
	wake chan struct{}

	mu       sync.Mutex
	packets  packetHeap
	bytes    int
	nth      uint64
	peers    map[peerKey]peerState // those with packets under way
	dropped  uint64
	deadline time.Time
	ended    error         // set once; pop gives it instead of what is left, unless flushing
	flushing bool          // everything is due
	empty    chan struct{} // closed by pop once it gives ended
}

// peerState is what is under way between us and a peer.
type peerState struct {
	last    time.Time // arrival of its last packet: the next isn't before it
	packets int       // pushed and not yet released
}

// peerKey is a peer's address in a form that is cheap to compare.
type peerKey struct {
	addr netip.AddrPort
	text string // of addresses that aren't UDP
}

func keyOf(a net.Addr) peerKey {
	if u, ok := a.(*net.UDPAddr); ok {
		return peerKey{addr: u.AddrPort()}
	}
	return peerKey{text: a.String()}
}

func newQueue(limit int) *queue {
	return &queue{
		limit: limit,
		wake:  make(chan struct{}, 1),
		peers: map[peerKey]peerState{},
		empty: make(chan struct{}),
	}
}

// push copies b into the queue, or drops it if there is no room. It is false if
// the queue has ended.
func (q *queue) push(b []byte, peer net.Addr, d time.Duration) bool {
	now := time.Now()
	key := keyOf(peer)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended != nil {
		return false
	}
	if q.bytes+len(b)+overhead > q.limit {
		q.dropped++
		return true
	}
	due := now.Add(max(d, 0))
	way := q.peers[key]
	if due.Before(way.last) {
		due = way.last
	}
	q.peers[key] = peerState{last: due, packets: way.packets + 1}
	q.nth++
	q.bytes += len(b) + overhead
	p := packet{data: bytes.Clone(b), peer: peer, key: key, due: due, nth: q.nth}
	heap.Push(&q.packets, p)
	if q.packets[0].nth == p.nth { // pop waits for another one, or for none
		q.signal()
	}
	return true
}

// idle says that nothing is under way to peer, and the queue hasn't ended.
func (q *queue) idle(peer net.Addr) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	_, busy := q.peers[keyOf(peer)]
	return q.ended == nil && !busy
}

// release must follow each pop, once the packet can't be overtaken any more.
func (q *queue) release(p packet) {
	q.mu.Lock()
	defer q.mu.Unlock()
	way := q.peers[p.key]
	if way.packets--; way.packets <= 0 {
		delete(q.peers, p.key)
		return
	}
	q.peers[p.key] = way
}

// pop waits for the next packet to arrive. It fails when the deadline has passed,
// and when the queue has ended.
func (q *queue) pop() (packet, error) {
	for {
		p, wait, err, done := q.tryPop(time.Now())
		if done {
			return p, err
		}
		if wait <= 0 {
			<-q.wake
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-q.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// tryPop gives the next packet or error, or how long to wait for it; zero is
// until woken.
func (q *queue) tryPop(now time.Time) (p packet, wait time.Duration, err error, done bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.ended != nil && (len(q.packets) == 0 || !q.flushing):
		q.giveUp()
		return packet{}, 0, q.ended, true
	case !q.deadline.IsZero() && !now.Before(q.deadline):
		q.signal() // others wait in vain, too
		return packet{}, 0, os.ErrDeadlineExceeded, true
	case len(q.packets) > 0 && (q.flushing || !now.Before(q.packets[0].due)):
		p, _ = heap.Pop(&q.packets).(packet)
		q.bytes -= len(p.data) + overhead
		if len(q.packets) > 0 {
			q.signal()
		}
		return p, 0, nil, true
	}
	if len(q.packets) > 0 {
		wait = q.packets[0].due.Sub(now)
	}
	if !q.deadline.IsZero() {
		if left := q.deadline.Sub(now); wait == 0 || left < wait {
			wait = left
		}
	}
	return packet{}, wait, nil, false
}

// giveUp forgets everything and lets every pop see that it ended.
func (q *queue) giveUp() {
	q.packets, q.bytes = nil, 0
	select {
	case <-q.empty:
	default:
		close(q.empty)
	}
	q.signal()
}

// signal wakes one pop. It needs no lock.
func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// end makes pop fail with err from now on, whatever is under way. The first call
// counts.
func (q *queue) end(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended == nil {
		q.ended = err
	}
	q.signal()
}

// flush makes everything due, and ends the queue after the last packet.
func (q *queue) flush() {
	q.mu.Lock()
	q.flushing = true
	q.mu.Unlock()
	q.end(net.ErrClosed)
}

// drained waits until pop has given out everything and the end.
func (q *queue) drained() { <-q.empty }

func (q *queue) setDeadline(t time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.deadline = t
	q.signal()
}

func (q *queue) droppedCount() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}

// packetHeap has the packet that arrives first at 0.
type packetHeap []packet

func (h packetHeap) Len() int { return len(h) }

func (h packetHeap) Less(i, j int) bool {
	if h[i].due.Equal(h[j].due) {
		return h[i].nth < h[j].nth
	}
	return h[i].due.Before(h[j].due)
}

func (h packetHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push is heap.Interface's.
func (h *packetHeap) Push(x any) {
	if p, ok := x.(packet); ok {
		*h = append(*h, p)
	}
}

// Pop is heap.Interface's.
func (h *packetHeap) Pop() any {
	old := *h
	p := old[len(old)-1]
	old[len(old)-1] = packet{} // lets go of its bytes
	*h = old[:len(old)-1]
	return p
}
