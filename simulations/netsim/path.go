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
	// It changes no order between two sockets: a packet that would overtake another
	// arrives with it.
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
	flows    map[flowKey]*flow // of datagrams; guarded by Network.mu
}

// flow is the packets of a link between two ports. Each has its own order, and what becomes of
// a packet depends on the instant in which it is sent, not on how many were before: so what is the
// same in two runs stays the same, whatever is not. Gossip, for one, never is.
type flow struct {
	id uint64
	// Guarded by Network.mu.
	at   int64  // when the latest was sent
	nth  uint64 // which one of that instant it was
	last int64  // when the latest arrives
}

// flowKey tells a link's flows apart.
type flowKey struct {
	from, to uint16
	udp      bool
}

func (k flowKey) bits() uint64 {
	out := uint64(k.from)<<16 | uint64(k.to)
	if k.udp {
		out |= 1 << 32
	}
	return out
}

// newFlow is a link's, before its first packet.
func newFlow(link uint64, key flowKey) flow { return flow{id: mix(link) ^ key.bits()} }

// flowLocked is the one that a datagram belongs to. A connection has its own.
func (l *link) flowLocked(p *packet) *flow {
	key := flowKey{p.from.Port(), p.to.Port(), true}
	f := l.flows[key]
	if f == nil {
		if l.flows == nil {
			l.flows = map[flowKey]*flow{}
		}
		made := newFlow(l.id, key)
		f = &made
		l.flows[key] = f
	}
	return f
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

// draw is a number in [0, 1) for packet nth of those that a flow has at one instant. It is the
// same in each run with this seed, whatever else happened.
func draw(seed, flow, at, nth, what uint64) float64 {
	return float64(mix(mix(mix(mix(seed^flow)^at)^nth)^what)>>11) / (1 << 53)
}

// mix is the finalizer of SplitMix64 (Steele, Lea, Flood: Fast splittable
// pseudorandom number generators, 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// fate says when the next packet of f, sent at now over path, arrives: not at all,
// once or twice.
func (f *flow) fate(seed uint64, path Path, now int64) (arrivals [2]int64, times int) {
	if f.nth++; now != f.at {
		f.at, f.nth = now, 0
	}
	drawn := func(what uint64) float64 { return draw(seed, f.id, uint64(now), f.nth, what) }
	if path.Loss > 0 && drawn(drawLoss) < path.Loss {
		return arrivals, 0
	}
	at := now + int64(path.Delay)
	if path.Jitter > 0 {
		at += int64(-math.Log(1-drawn(drawJitter)) * float64(path.Jitter))
	}
	if path.Reorder > 0 && drawn(drawReorder) < path.Reorder {
		at = max(at, f.last) + int64(drawn(drawReorderBy)*float64(path.ReorderBy))
	} else {
		at = max(at, f.last)
		f.last = at
	}
	arrivals[0] = at
	if path.Duplicate > 0 && drawn(drawDuplicate) < path.Duplicate {
		arrivals[1] = at + int64(drawn(drawDuplicateBy)*float64(path.ReorderBy))
		return arrivals, 2
	}
	return arrivals, 1
}
