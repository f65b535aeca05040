package upstream

import (
	"context"
	"maps"
	"slices"
	"time"

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

func (u *Upstream) interestsLocked(p wire.LogID) *interests {
	in := u.logs[p]
	if in == nil {
		in = &interests{held: newKeys(), pending: map[uint64][]Want{}}
		u.logs[p] = in
	}
	return in
}

// Want asks for interests in log p. Each is answered once by Sink.Live, also
// across links; not at all if nobody wants its key any more by then.
func (u *Upstream) Want(p wire.LogID, wants ...Want) {
	u.mu.Lock()
	in := u.interestsLocked(p)
	for _, w := range wants {
		in.held.add(w.Key)
	}
	in.add = append(in.add, wants...)
	u.mu.Unlock()
	u.wake()
}

// Drop gives interests in log p back, each as often as it was wanted.
func (u *Upstream) Drop(p wire.LogID, keys ...wire.Key) {
	u.mu.Lock()
	in := u.interestsLocked(p)
	for _, k := range keys {
		if in.held.remove(k) {
			in.del = append(in.del, k)
		}
	}
	u.mu.Unlock()
	u.wake()
}

func (u *Upstream) wake() {
	select {
	case u.kick <- struct{}{}:
	default:
	}
}

// Interests is the number of interests held, for a metric.
func (u *Upstream) Interests() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := 0
	for _, in := range u.logs {
		n += in.held.len()
	}
	return n
}

// open asks for every log from its position, with all interests that are held.
// Those of them that still wait for a marker are sent again afterwards.
func (u *Upstream) open(ctx context.Context, l *link.Link, after []wire.Seq) error {
	for i, pos := range after {
		p := wire.LogID(i)
		if i == l.Logs {
			p = wire.StateLog
		}
		u.mu.Lock()
		in := u.interestsLocked(p)
		keys := make([]wire.Key, 0, in.held.len())
		for k := range in.held.all() {
			keys = append(keys, k)
		}
		in.del = nil // the new link never knew them
		id := u.lastID
		u.mu.Unlock()
		if err := l.Open(ctx, p, pos, id, keys); err != nil {
			return err
		}
	}
	return nil
}

// gap is the least time between two rounds of deltas: what is wanted meanwhile
// goes together. The first after a quiet time goes at once.
const gap = 3 * time.Millisecond

// sendInterests sends what is wanted and no longer wanted until the link ends.
func (u *Upstream) sendInterests(ctx context.Context, l *link.Link) error {
	u.wake()
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		// A round when its pause is over and there is something to say.
		wait, kick := pause.C, (<-chan struct{})(nil)
		for wait != nil || kick != nil {
			select {
			case <-ctx.Done():
				return nil
			case <-l.Done():
				return nil
			case <-wait:
				wait, kick = nil, u.kick
			case <-kick:
				kick = nil
			}
		}
		for _, m := range u.nextDeltas() {
			if err := l.Interest(ctx, m.p, m.id, m.add, m.del, m.since); err != nil {
				return err
			}
		}
		pause.Reset(gap)
	}
}

type deltaMessage struct {
	p        wire.LogID
	id       uint64
	add, del []wire.Key
	since    wire.Seq
}

// nextDeltas numbers what can be sent now.
func (u *Upstream) nextDeltas() []deltaMessage {
	u.mu.Lock()
	defer u.mu.Unlock()
	var out []deltaMessage
	for p, in := range u.logs {
		if len(in.add)+len(in.del) == 0 || len(in.pending) >= maxPending {
			continue
		}
		u.lastID++
		m := deltaMessage{p: p, id: u.lastID, since: link.Live}
		for _, w := range in.add {
			if in.held.has(w.Key) {
				m.add = append(m.add, w.Key)
				m.since = min(m.since, w.Since)
			}
			if w.Sent != nil {
				w.Sent(m.id)
			}
		}
		for _, k := range in.del {
			if !in.held.has(k) { // not wanted again meanwhile
				m.del = append(m.del, k)
			}
		}
		in.pending[m.id] = in.add
		in.add, in.del = nil, nil
		out = append(out, m)
	}
	return out
}

// unsent puts what waits for the markers of a lost link back, oldest first.
func (u *Upstream) unsent() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, in := range u.logs {
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
}

// marker hands the wants of a delta back.
func (u *Upstream) marker(p wire.LogID, m link.Marker) {
	u.mu.Lock()
	in := u.interestsLocked(p)
	wants := slices.DeleteFunc(in.pending[m.ID], func(w Want) bool { return !in.held.has(w.Key) })
	delete(in.pending, m.ID)
	more := len(in.add)+len(in.del) > 0
	u.mu.Unlock()
	if more {
		u.wake()
	}
	if len(wants) > 0 {
		u.cfg.Sink.Live(p, wants, m)
	}
}
