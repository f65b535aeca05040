package fanout

import (
	"math/rand/v2"
	"slices"
	"time"

	"selvedge/wire"
)

// drainSpread is the part of a drain's time over which clients are asked to go.
// The rest is for the last ones to go in: SDKs wait for a random part of what
// they are given.
const drainSpread = 0.75

// drain is how a shard asks its clients to move. It needs no timer for any of
// them: each tick asks its share.
type drain struct {
	// Fixed.
	until  time.Time // clients must be gone
	spread time.Time // all have been asked
	others func(session any) []wire.EdgeRef

	last   time.Time // the last tick
	due    float64   // sockets to ask that the last tick had no whole one for
	asked  int       // sockets in the wheel that were asked
	bucket int       // of the wheel, to go on with
}

// Drain asks every session to move to another edge until a moment: evenly over
// the first three quarters of the time left, and those that begin later too.
// others are the edges for one session (Socket.Session), best first, or with nil for
// anybody; lists that begin with the same edge must be the same. While there is none
// nobody is asked. It is called on the shards' goroutines.
func (e *Engine) Drain(until time.Time, others func(session any) []wire.EdgeRef) {
	now := time.Now()
	spread := now.Add(time.Duration(drainSpread * float64(until.Sub(now))))
	e.each(func(s *shard) {
		s.drain = &drain{until: until, spread: spread, others: others, last: now, due: rand.Float64()}
	})
}

// Deafen has the engine look at nothing any more that clients say: what they
// said before is all there is to answer. Deaf reports when that is so.
func (e *Engine) Deafen() {
	e.each(func(s *shard) {
		if !s.deaf {
			s.deaf = true
			e.deaf.Add(1)
		}
	})
}

// Deaf reports whether Deafen has come to every shard.
func (e *Engine) Deaf() bool { return int(e.deaf.Load()) == len(e.shards) }

// askToGo asks as many sessions as are due by now.
func (s *shard) askToGo(now time.Time) {
	d := s.drain
	if d == nil {
		return
	}
	passed, left := now.Sub(d.last), d.spread.Sub(d.last)
	d.last = now
	waiting := s.wheel.len() - d.asked
	if waiting == 0 || len(d.others(nil)) == 0 {
		return
	}
	n := waiting
	if passed < left {
		d.due += float64(waiting) * float64(passed) / float64(left)
		n = int(d.due)
		d.due -= float64(n)
	}
	packets := map[string]Packets{} // by the first edge that they name
	for range s.wheel.buckets {
		for _, k := range slices.Backward(s.wheel.buckets[d.bucket]) {
			if n == 0 {
				return
			}
			if k.state == running && !k.is(leaving) && s.goaway(k, packets, now) {
				n--
			}
		}
		d.bucket = (d.bucket + 1) % len(s.wheel.buckets)
	}
}

// goaway asks k to go.
func (s *shard) goaway(k *Socket, packets map[string]Packets, now time.Time) bool {
	d := s.drain
	edges := d.others(k.Session)
	if len(edges) == 0 {
		return false // the last of them has just gone
	}
	p, ok := packets[edges[0].ID]
	if !ok {
		var err error
		after := max(d.until.Sub(now), 0)
		if p, err = Encode(wire.Goaway{T: wire.TGoaway, AfterMS: int(after.Milliseconds()), Edges: edges}); err != nil {
			return false
		}
		packets[edges[0].ID] = p
	}
	s.push(k, p[k.Codec()])
	k.flags |= leaving
	d.asked++
	s.e.cfg.Events.Goaway()
	return true
}
