package upstream

import (
	"maps"
	"slices"

	"selvedge/wire"
	"selvedge/wire/link"
)

// Want is one interest asked for.
type Want struct {
	Key wire.Key
	// Since is a position of the log: the marker tells whether the key has
	// records between it and the marker.
	Since wire.Seq
	// Token is handed back with the marker.
	Token any
	// Sent, if not nil, is called when the delta that carries the want has got
	// its number: a query that names this number is answered from after it.
	// It must not block.
	Sent func(id uint64)
}

// maxPending bounds the deltas of one log that wait for their marker; what is
// wanted meanwhile is put together into the next.
const maxPending = 8

// interests are what this edge wants of one log. Guarded by Upstream.mu.
type interests struct {
	held    keys       // wanted and not dropped as often
	add     []Want     // not sent yet
	del     []wire.Key // not sent yet
	pending map[uint64][]Want
}

func newInterests() interests {
	return interests{held: newKeys(), pending: map[uint64][]Want{}}
}

// Want asks for interests in log p. Each is answered once by Sink.Live, also
// across links; not at all if nobody wants its key any more by then.
func (u *Upstream) Want(p wire.LogID, wants ...Want) {
	u.mu.Lock()
	defer u.mu.Unlock()
	lg := u.logLocked(p)
	for _, w := range wants {
		if lg.heir != nil && !lg.held.has(w.Key) {
			lg.heir.add = append(lg.heir.add, w.Key)
		}
		lg.held.add(w.Key)
	}
	lg.add = append(lg.add, wants...)
	lg.wakeLocked()
}

// Drop gives interests in log p back, each as often as it was wanted.
func (u *Upstream) Drop(p wire.LogID, keys ...wire.Key) {
	u.mu.Lock()
	defer u.mu.Unlock()
	lg := u.logLocked(p)
	for _, k := range keys {
		if lg.held.remove(k) {
			lg.del = append(lg.del, k)
			if lg.heir != nil {
				lg.heir.del = append(lg.heir.del, k)
			}
		}
	}
	lg.wakeLocked()
}

// wakeLocked has the link of a log look for what is to be sent.
func (lg *followed) wakeLocked() {
	if lg.at != nil {
		lg.at.wake()
	}
}

// Interests is the number of interests held, for a metric.
func (u *Upstream) Interests() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := 0
	for _, lg := range u.logs {
		n += lg.held.len()
	}
	return n
}

type deltaMessage struct {
	p        wire.LogID
	id       uint64
	add, del []wire.Key
	since    wire.Seq
}

// nextDeltas numbers what can be sent now over a link.
func (u *Upstream) nextDeltas(s *session) []deltaMessage {
	u.mu.Lock()
	defer u.mu.Unlock()
	var out []deltaMessage
	for _, lg := range s.logs {
		if lg.at != s || lg.phase != open || lg.heldBackLocked() || len(lg.add)+len(lg.del) == 0 || len(lg.pending) >= maxPending {
			continue
		}
		u.lastID++
		out = append(out, lg.next(u.lastID))
	}
	return out
}

// next is delta id, of all that is to be sent.
func (lg *followed) next(id uint64) deltaMessage {
	m := deltaMessage{p: lg.p, id: id, since: link.Live}
	for _, w := range lg.add {
		if lg.held.has(w.Key) {
			m.add = append(m.add, w.Key)
			m.since = min(m.since, w.Since)
		}
		if w.Sent != nil {
			w.Sent(m.id)
		}
	}
	for _, k := range lg.del {
		if !lg.held.has(k) { // not wanted again meanwhile
			m.del = append(m.del, k)
		}
	}
	lg.pending[m.id] = lg.add
	lg.add, lg.del = nil, nil
	return m
}

// unsent puts what waits for the markers of a stream that has ended back, oldest
// first.
func (in *interests) unsent() {
	var again []Want
	for _, id := range slices.Sorted(maps.Keys(in.pending)) {
		for _, w := range in.pending[id] {
			w.Sent = nil // its number holds: the next Open says a later one
			again = append(again, w)
		}
	}
	clear(in.pending)
	in.add = append(again, in.add...)
}

// marker hands the wants of a delta back.
func (u *Upstream) marker(lg *followed, m link.Marker) {
	u.mu.Lock()
	wants := slices.DeleteFunc(lg.pending[m.ID], func(w Want) bool { return !lg.held.has(w.Key) })
	delete(lg.pending, m.ID)
	if m.Seq < lg.begun {
		// This stream is behind the one before it: what it brings up to begun the sink
		// takes for a repetition, which it is not for an interest that is new. So that is
		// live from there on, and what lies before has to be filled.
		m.Seq, m.Moved = lg.begun, nil
		for _, w := range wants {
			m.Moved = append(m.Moved, w.Key)
		}
	}
	if len(lg.add)+len(lg.del) > 0 {
		lg.wakeLocked()
	}
	u.mu.Unlock()
	if len(wants) > 0 {
		u.cfg.Sink.Live(lg.p, wants, m)
	}
}
