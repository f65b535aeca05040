package link

import (
	"sync"
	"time"
)

// pings are when the last pings of a link were sent, so that how long they took is
// known by the monotonic clock: the wall clock may be set meanwhile. Safe for
// concurrent use.
type pings struct {
	mu sync.Mutex
	// Guarded by mu.
	at   [maxPings]time.Time // the zero time = none
	next int
}

const (
	// maxPings is how many pings are remembered. A pong of an older one says nothing.
	maxPings = 16
	// clockSlack is how much the wall clock may go faster or slower than the
	// monotonic one during a ping without having been set.
	clockSlack = time.Millisecond
)

// sent takes note of a ping, and returns the name that its pong has: the wall
// clock, in Unix nanoseconds.
func (p *pings) sent(now time.Time) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at[p.next] = now
	p.next = (p.next + 1) % maxPings
	return now.UnixNano()
}

// pong is how long the ping of that name took, and how far the peer's clock is
// ahead, if it read at (Unix nanoseconds) then: estimated as in NTP (RFC 5905,
// section 8). The pong comes now, when our wall clock reads wall. Not ok is a name
// that isn't known, or a ping during which our clock was set.
func (p *pings) pong(name, at, wall int64, now time.Time) (rtt, offset time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.at {
		sent := p.at[i]
		if sent.IsZero() || sent.UnixNano() != name {
			continue
		}
		p.at[i] = time.Time{} // an answer twice is none
		rtt = now.Sub(sent)
		return judge(rtt, time.Duration(wall-name), time.Duration(at-name))
	}
	return 0, 0, false
}

// judge is what a ping says that took rtt by the monotonic clock and wall by the
// other, and came to a peer whose clock was ahead of our wall clock at its sending.
func judge(rtt, wall, ahead time.Duration) (_, offset time.Duration, ok bool) {
	if rtt < 0 || (wall-rtt).Abs() > clockSlack {
		return 0, 0, false
	}
	return rtt, ahead - rtt/2, true
}

// race finds the pings to believe: of each run of eight the quickest, since the
// less a ping waited on its way, the less its asymmetry can lie. A ping tells the
// offset to half of its round trip; one that contradicts the quickest says that a
// clock was set since, and is believed.
type race struct {
	n           int
	rtt, offset time.Duration // of the one that is believed
}

// run takes a ping, and reports whether it is to be believed from now on.
func (r *race) run(rtt, offset time.Duration) bool {
	set := (offset - r.offset).Abs() > (rtt+r.rtt)/2+clockSlack
	if set {
		r.n = 0
	}
	won := r.n%8 == 0 || rtt < r.rtt
	if won {
		r.rtt, r.offset = rtt, offset
	}
	r.n++
	return won
}
