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

func (r *rates) take(now time.Time, published uint64, links []link.PeerInfo) {
	seconds := now.Sub(r.at).Seconds()
	first := r.at.IsZero()
	per := func(new, old uint64) float64 {
		if first || new < old || seconds <= 0 {
			return 0
		}
		return float64(new-old) / seconds
	}
	r.publishes = per(published, r.published)
	nodes := make(map[string]nodeRate, len(links))
	for _, l := range links {
		old, known := r.nodes[l.Node]
		next := nodeRate{last: l.Status}
		if known && old.last.UptimeMillis > 0 {
			next.frames = per(l.Status.Frames, old.last.Frames)
			next.delivered = per(l.Status.Delivered, old.last.Delivered)
			next.bytes = per(l.Status.Bytes, old.last.Bytes)
		}
		nodes[l.Node] = next
	}
	r.at, r.published, r.nodes = now, published, nodes
}
