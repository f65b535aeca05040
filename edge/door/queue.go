package door

import (
	"net/netip"
	"time"

	"selvedge/edge/transport"
)

// visitor is a pending handshake on a loop. Owned by the loop's goroutine.
type visitor struct {
	conn     *transport.Conn
	stage    stage
	deadline time.Time
	held     []byte         // what has come, until it is a whole head
	searched int            // bytes of held without the end of a head
	greeted  bool           // the PROXY header is behind it, or none is wanted
	client   netip.AddrPort // what the PROXY header says
	ticket   *ticket        // its place in the line, while it waits there

	prev, next *visitor // in the queue
}

// stage is how far a visitor has come.
type stage uint8

const (
	coming  stage = iota // accepted, not introduced yet
	shaking              // pending: counted, and in the queue
	over
)

// queue are the visitors in the order of their arrival, which is the order of
// their deadlines: no timer is needed. A list, so that one who leaves leaves
// nothing behind. The zero queue is empty.
type queue struct{ first, last *visitor }

func (q *queue) push(v *visitor) {
	if v.prev = q.last; q.last != nil {
		q.last.next = v
	} else {
		q.first = v
	}
	q.last = v
}

// remove takes v out, which must be in.
func (q *queue) remove(v *visitor) {
	if v.prev != nil {
		v.prev.next = v.next
	} else {
		q.first = v.next
	}
	if v.next != nil {
		v.next.prev = v.prev
	} else {
		q.last = v.prev
	}
	v.prev, v.next = nil, nil
}

// late returns the first visitor if its deadline has passed, or nil.
func (q *queue) late(now time.Time) *visitor {
	if v := q.first; v != nil && !now.Before(v.deadline) {
		return v
	}
	return nil
}
