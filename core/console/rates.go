package console

import (
	"time"

	"selvedge/wire/link"
)

// rates turns counters into events per second, from one look to the next. Its
// zero value has seen nothing.
type rates struct {
	at        time.Time
	published uint64
	publishes float64
	nodes     map[string]nodeRate
}

// nodeRate is what is known of one downstream.
type nodeRate struct {
	last                     link.Status
	frames, delivered, bytes float64 // per second
}

// take looks at the counters. It makes a new map, so that copies of r stay as
// they are.
func (r *rates) take(now time.Time, published uint64, links []link.PeerInfo) {
	r.publishes = 0
	if !r.at.IsZero() {
		r.publishes = per(published, r.published, now.Sub(r.at))
	}
	nodes := make(map[string]nodeRate, len(links))
	for _, l := range links {
		old := r.nodes[l.Node]
		// A node tells of itself in its own rhythm: its clock counts, and what it
		// has told before holds until it tells again.
		passed := time.Duration(l.Status.UptimeMillis-old.last.UptimeMillis) * time.Millisecond
		if passed == 0 {
			nodes[l.Node] = old
			continue
		}
		next := nodeRate{last: l.Status}
		if old.last.UptimeMillis > 0 {
			next.frames = per(l.Status.Frames, old.last.Frames, passed)
			next.delivered = per(l.Status.Delivered, old.last.Delivered, passed)
			next.bytes = per(l.Status.Bytes, old.last.Bytes, passed)
		}
		nodes[l.Node] = next
	}
	r.at, r.published, r.nodes = now, published, nodes
}

// per is how fast a counter grew, per second; 0 when it began anew.
func per(now, before uint64, passed time.Duration) float64 {
	if now < before || passed <= 0 {
		return 0
	}
	return float64(now-before) / passed.Seconds()
}
