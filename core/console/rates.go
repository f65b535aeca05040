package console

import (
	"time"

	"selvedge/wire/link"
)

// Rates are what happens per second, as of the last look at the counters.
type Rates struct {
	Published float64 // frames that the logs took
	// RegionBytes and OceanBytes left this core, to edges of its region and to others.
	RegionBytes, OceanBytes float64
	nodes                   map[string]nodeRate // never changed, only replaced
}

// NodeRates are what happens at one downstream per second, by its own count.
type NodeRates struct {
	Frames, Delivered, Bytes float64
	Fed                      float64 // bytes that went to its siblings
}

// Node is what is known of a downstream; zero if nothing is.
func (r Rates) Node(id string) NodeRates { return r.nodes[id].NodeRates }

// totals are counters of the core.
type totals struct{ published, region, ocean uint64 }

// rates turns counters into events per second, from one look to the next. Its
// zero value has seen nothing.
type rates struct {
	Rates

	at   time.Time
	last totals
}

// nodeRate is what is known of one downstream.
type nodeRate struct {
	NodeRates

	last link.Status
}

// take looks at the counters. It makes a new map, so that copies of r.Rates stay
// as they are.
func (r *rates) take(now time.Time, t totals, links []link.PeerInfo) {
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
			next.NodeRates = NodeRates{
				Frames:    per(l.Status.Frames, old.last.Frames, passed),
				Delivered: per(l.Status.Delivered, old.last.Delivered, passed),
				Bytes:     per(l.Status.Bytes, old.last.Bytes, passed),
				Fed:       per(l.Status.Fed, old.last.Fed, passed),
			}
		}
		nodes[l.Node] = next
	}
	var passed time.Duration // 0 before the second look
	if !r.at.IsZero() {
		passed = now.Sub(r.at)
	}
	r.Rates = Rates{
		Published:   per(t.published, r.last.published, passed),
		RegionBytes: per(t.region, r.last.region, passed),
		OceanBytes:  per(t.ocean, r.last.ocean, passed),
		nodes:       nodes,
	}
	r.at, r.last = now, t
}

// per is how fast a counter grew, per second; 0 when it began anew.
func per(now, before uint64, passed time.Duration) float64 {
	if now < before || passed <= 0 {
		return 0
	}
	return float64(now-before) / passed.Seconds()
}
