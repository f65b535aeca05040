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

	place[visitor] // in the queue
}

func (v *visitor) at() *place[visitor] { return &v.place }

// stage is how far a visitor has come.
type stage uint8

const (
	coming  stage = iota // accepted, not introduced yet
	shaking              // pending: counted, and in the queue
	over
)

// queue are the visitors in the order of their arrival, which is the order of
// their deadlines: no timer is needed. The zero queue is empty.
type queue struct{ list[visitor, *visitor] }

// late returns the first visitor if its deadline has passed, or nil.
func (q *queue) late(now time.Time) *visitor {
	if v := q.first; v != nil && !now.Before(v.deadline) {
		return v
	}
	return nil
}
