package netsim

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Path is what one direction between two hosts does to packets. The zero value
// delivers at once, and all.
type Path struct {
	Delay time.Duration // one way
	// Jitter is the mean of what is added to Delay, exponentially distributed.
	// It changes no order: a packet that would overtake another arrives with it.
	Jitter    time.Duration
	Loss      float64 // the part of packets that vanish, 0 to 1
	Reorder   float64 // the part that others overtake: it comes up to ReorderBy later
	ReorderBy time.Duration
	Duplicate float64 // the part that comes twice, the second time up to ReorderBy later
}

// plus is p with q added.
func (p Path) plus(q Path) Path {
	return Path{
		Delay: p.Delay + q.Delay, Jitter: p.Jitter + q.Jitter,
		Loss:    1 - (1-p.Loss)*(1-q.Loss),
		Reorder: 1 - (1-p.Reorder)*(1-q.Reorder), ReorderBy: max(p.ReorderBy, q.ReorderBy),
		Duplicate: 1 - (1-p.Duplicate)*(1-q.Duplicate),
	}
}

func (p Path) String() string {
	var parts []string
	say := func(is bool, format string, args ...any) {
		if is {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	say(p.Delay > 0, "%v one way", p.Delay)
	say(p.Jitter > 0, "%v jitter", p.Jitter)
	say(p.Loss > 0, "%.3g %% lost", 100*p.Loss)
	say(p.Reorder > 0, "%.3g %% overtaken by %v", 100*p.Reorder, p.ReorderBy)
	say(p.Duplicate > 0, "%.3g %% doubled", 100*p.Duplicate)
	if parts == nil {
		return "at once"
	}
	return strings.Join(parts, ", ")
}

// link is one direction between two hosts.
type link struct {
	id       uint64
	from, to *host
	path     Path

	// Guarded by Network.mu.
	n    uint64 // packets so far
	last int64  // when the latest arrives
}

// What is drawn for a packet.
const (
	drawLoss = iota + 1
	drawJitter
	drawReorder
	drawReorderBy
	drawDuplicate
	drawDuplicateBy
)

// draw is a number in [0, 1) for packet n of a link. It is the same in each run
// with this seed, whatever else happened.
func draw(seed, link, n, what uint64) float64 {
	return float64(mix(mix(mix(seed^link)^n)^what)>>11) / (1 << 53)
}

// mix is the finalizer of SplitMix64 (Steele, Lea, Flood: Fast splittable
// pseudorandom number generators, 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// fate says when packet n of l, sent at now over path, arrives: not at all,
// once or twice.
func (l *link) fate(seed uint64, path Path, now int64) (arrivals [2]int64, times int) {
	l.n++
	drawn := func(what uint64) float64 { return draw(seed, l.id, l.n, what) }
	if path.Loss > 0 && drawn(drawLoss) < path.Loss {
		return arrivals, 0
	}
	at := now + int64(path.Delay)
	if path.Jitter > 0 {
		at += int64(-math.Log(1-drawn(drawJitter)) * float64(path.Jitter))
	}
	if path.Reorder > 0 && drawn(drawReorder) < path.Reorder {
		at = max(at, l.last) + int64(drawn(drawReorderBy)*float64(path.ReorderBy))
	} else {
		at = max(at, l.last)
		l.last = at
	}
	arrivals[0] = at
	if path.Duplicate > 0 && drawn(drawDuplicate) < path.Duplicate {
		arrivals[1] = at + int64(drawn(drawDuplicateBy)*float64(path.ReorderBy))
		return arrivals, 2
	}
	return arrivals, 1
}
