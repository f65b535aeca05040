package relay

import (
	"sync"

	"selvedge/edge/upstream"
	"selvedge/wire"
	"selvedge/wire/tail"
)

// log is what a relay has of one log.
type log struct {
	p wire.LogID // fixed

	mu sync.Mutex
	// Guarded by mu.
	byCore bool               // we take it from a core
	tail   *tail.Tail         // nil while nobody has asked for it since it was over
	over   chan struct{}      // closed when the tail is; made with it
	keys   map[wire.Key]*held // that siblings want
}

// held is an interest of siblings. Its fields are guarded by log.mu.
type held struct {
	refs    int
	live    wire.Seq // every record after it was received, or will be; notLive = not yet told
	last    wire.Seq // the last record, or a position that it does not lie beyond; 0 = none after live
	waiting []*hold
}

// notLive is the live position of an interest whose marker has not come. Positions are below 2^63.
const notLive = ^wire.Seq(0)

// hold is one call of Hold.
type hold struct {
	lacks int      // interests whose marker has not come
	from  wire.Seq // from where on the others are live
	ready func(from wire.Seq)
}

func newLog(p wire.LogID) *log { return &log{p: p, keys: map[wire.Key]*held{}} }

// open is the tail, which begins at a position if there was none; nil if we take the
// log from no core.
func (lg *log) open(at wire.Seq, budget int) *tail.Tail {
	lg.mu.Lock()
	defer lg.mu.Unlock()
	if lg.byCore && lg.tail == nil {
		lg.tail, lg.over = tail.New(budget, at), make(chan struct{})
	}
	return lg.tail
}

func (lg *log) used() bool {
	lg.mu.Lock()
	defer lg.mu.Unlock()
	return lg.tail != nil
}

// endLocked ends the feeds, and returns the interests that nobody has any more.
func (lg *log) endLocked() []wire.Key {
	if lg.tail != nil {
		close(lg.over)
		lg.tail = nil
	}
	keys := make([]wire.Key, 0, len(lg.keys))
	for k := range lg.keys {
		keys = append(keys, k)
	}
	clear(lg.keys)
	return keys
}

// hold counts interests, and returns those that are to be asked for.
func (lg *log) hold(of *tail.Tail, keys []wire.Key, since wire.Seq, ready func(wire.Seq)) (wants []upstream.Want) {
	h := &hold{ready: ready}
	lg.mu.Lock()
	if of == nil || lg.tail != of { // it is over: its feeds know
		lg.mu.Unlock()
		return nil
	}
	for _, k := range keys {
		e := lg.keys[k]
		if e == nil {
			e = &held{live: notLive}
			lg.keys[k] = e
			wants = append(wants, upstream.Want{Key: k, Since: since, Token: e})
		}
		e.refs++
		if e.live == notLive {
			e.waiting = append(e.waiting, h)
			h.lacks++
		} else {
			h.from = max(h.from, e.live)
		}
	}
	done := h.lacks == 0
	lg.mu.Unlock()
	if done {
		ready(h.from)
	}
	return wants
}

// release counts interests down, and returns those that nobody has any more.
func (lg *log) release(of *tail.Tail, keys []wire.Key) (gone []wire.Key) {
	lg.mu.Lock()
	defer lg.mu.Unlock()
	if of == nil || lg.tail != of {
		return nil // it is over, and so is what it held
	}
	for _, k := range keys {
		e := lg.keys[k]
		if e == nil {
			continue
		}
		if e.refs--; e.refs == 0 {
			delete(lg.keys, k)
			gone = append(gone, k)
		}
	}
	if len(lg.keys) == 0 && len(gone) > 0 && lg.tail != nil {
		lg.tail.Reset(lg.tail.End()) // nobody wants what it has
	}
	return gone
}

// live takes a marker's word on an interest: moved = it has, or may have, records in
// (since, at].
func (lg *log) live(k wire.Key, e *held, since wire.Seq, moved bool, at wire.Seq) {
	var ready []*hold
	lg.mu.Lock()
	if lg.keys[k] != e || lg.tail == nil || e.live != notLive {
		lg.mu.Unlock()
		return
	}
	lg.tail.Advance(at)
	e.live = min(since, at)
	if moved {
		e.live = at
	}
	for _, h := range e.waiting {
		h.from = max(h.from, e.live)
		if h.lacks--; h.lacks == 0 {
			ready = append(ready, h)
		}
	}
	e.waiting = nil
	lg.mu.Unlock()
	for _, h := range ready {
		h.ready(h.from)
	}
}

// append adds what somebody wants to the tail.
func (lg *log) append(records []tail.Record) {
	lg.mu.Lock()
	defer lg.mu.Unlock()
	if lg.tail == nil {
		return
	}
	wanted := make([]tail.Record, 0, len(records))
	for _, r := range records {
		if r.Kind == tail.Watermark || lg.tookLocked(&r) {
			wanted = append(wanted, r)
		}
	}
	if n := len(wanted); n > 0 {
		lg.tail.Append(wanted...)
	}
}

// tookLocked notes a record with the interests that it meets, if there are any.
func (lg *log) tookLocked(r *tail.Record) (wanted bool) {
	for _, k := range r.Keys {
		if e := lg.keys[k]; k != 0 && e != nil {
			e.last, wanted = max(e.last, r.Seq), true
		}
	}
	return wanted
}

// moved appends the keys that have, or may have, records after since.
func (lg *log) moved(dst, keys []wire.Key, since wire.Seq) []wire.Key {
	lg.mu.Lock()
	defer lg.mu.Unlock()
	for _, k := range keys {
		if e := lg.keys[k]; e == nil || since < e.live || e.last > since {
			dst = append(dst, k)
		}
	}
	return dst
}
