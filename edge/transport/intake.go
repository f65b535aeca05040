package transport

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// newcomer is a conn on its way from Add to the loop's goroutine.
type newcomer struct {
	c     *Conn
	early []byte
}

// intake is where Add leaves conns for the loop's goroutine. Its queue is
// bounded by max, which counts conns from Add until they are closed.
type intake struct {
	max     int
	count   atomic.Int64
	pending atomic.Bool // queue is not empty

	mu    sync.Mutex
	ended bool       // guarded by mu
	queue []newcomer // guarded by mu
}

// reserve counts one conn more.
func (in *intake) reserve() error {
	if in.count.Add(1) > int64(in.max) {
		in.release()
		return fmt.Errorf("%w: %d connections; raise the limit or add a node", ErrFull, in.max)
	}
	return nil
}

func (in *intake) release() { in.count.Add(-1) }

// put queues a reserved conn, unless the loop has ended.
func (in *intake) put(n newcomer) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.ended {
		return ErrClosed
	}
	in.queue = append(in.queue, n)
	in.pending.Store(true)
	return nil
}

// take empties the queue into dst.
func (in *intake) take(dst []newcomer) []newcomer {
	if !in.pending.Load() {
		return dst
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	dst = append(dst, in.queue...)
	in.queue = nil // a storm's queue is not kept
	in.pending.Store(false)
	return dst
}

// end makes put fail from now on.
func (in *intake) end() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.ended = true
}
