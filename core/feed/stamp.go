package feed

import (
	"context"
	"sync"
	"time"

	"selvedge/wire"
	"selvedge/wire/link"
	"selvedge/wire/tail"
)

// watermarkEvery paces the watermarks (rule 5): an edge's answer is fresh if
// its last one is younger than three of them.
const watermarkEvery = time.Second

// reach is how far a log was read, and what must be read before the next
// watermark.
//
// A watermark says "you have everything up to here", and those who get it take
// what they have for the present. So it takes the word of all cores on where the
// log ends (Log.Latest), asked for right before: a core that is cut off from the
// others reads its own copy to the end, and would call that fresh while the
// others go on without it. Who gets no watermark says so to its clients, and
// takes the log from another core.
type reach struct {
	// Fixed.
	tail  *tail.Tail
	floor func() wire.Seq // of the log

	mu sync.Mutex
	// Guarded by mu.
	pos   wire.Seq      // everything up to here is in the tail, or gone
	want  wire.Seq      // where the log ended when it was asked
	asked time.Time     // when that was; zero = no watermark is due
	moved chan struct{} // closed when pos grows; nil while nobody waits
}

// to takes note of what was read.
func (r *reach) to(pos wire.Seq) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if pos <= r.pos {
		return
	}
	r.pos = pos
	if r.moved != nil {
		close(r.moved)
		r.moved = nil
	}
	r.stampLocked()
}

// wait waits until the log is read up to pos. It fails when ctx ends.
func (r *reach) wait(ctx context.Context, pos wire.Seq) error {
	for {
		r.mu.Lock()
		if r.pos >= pos {
			r.mu.Unlock()
			return nil
		}
		if r.moved == nil {
			r.moved = make(chan struct{})
		}
		moved := r.moved
		r.mu.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// await has the next watermark stamped when the log is read up to want, which was
// its end at a time.
func (r *reach) await(want wire.Seq, asked time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.want, r.asked = want, asked
	r.stampLocked()
}

// missing is what the last watermark waits for, 0 = it was stamped.
func (r *reach) missing() wire.Seq {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asked.IsZero() {
		return 0
	}
	return r.want
}

func (r *reach) stampLocked() {
	if r.asked.IsZero() || r.pos < r.want {
		return
	}
	// The process may have stood still meanwhile.
	now := time.Now()
	if now.Sub(r.asked) < watermarkEvery {
		r.tail.Append(link.StampWatermark(r.tail.End(), r.floor(), now))
	}
	r.asked = time.Time{}
}

const (
	// stood is how late the clock for watermarks may be before the process is taken
	// to have stood still.
	stood = 2 * watermarkEvery
	// pause is for how many watermarks it then says nothing: it may be told that all
	// is well by what was on the way to it before.
	pause = 4
)

// stamp says each second how far a log was read, if that is to its end.
func (f *Feed) stamp(ctx context.Context, p wire.LogID) error {
	t := time.NewTicker(watermarkEvery)
	defer t.Stop()
	last, silent := time.Now(), 0
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
		now := time.Now()
		if now.Sub(last) > stood+watermarkEvery {
			silent = pause
		}
		last = now
		f.skipTrimmed(p)
		if silent > 0 {
			silent--
			continue
		}
		f.askEnd(ctx, p)
	}
}

// seen waits until an answer to q is not older than what its asker has seen. The
// core that an edge asks may have come back a moment ago, and be behind the one
// that the edge has followed meanwhile.
func (f *Feed) seen(ctx context.Context, q *wire.Query, applied wire.Seq) error {
	pos, wait := max(applied, q.V), f.cfg.View.WaitApplied
	if q.T == wire.QHistory {
		pos, wait = q.V, f.reach[wire.LogOf(q.Ch, f.logs)].wait
	}
	if pos == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, appliedTimeout)
	defer cancel()
	return wait(ctx, pos)
}

// askEnd asks where a log ends, for its next watermark.
func (f *Feed) askEnd(ctx context.Context, p wire.LogID) {
	asked := time.Now()
	ctx, cancel := context.WithTimeout(ctx, watermarkEvery)
	defer cancel()
	end, err := f.cfg.Log.Latest(ctx, p)
	if err != nil {
		f.cfg.Logger.DebugContext(ctx, "a log's end is not known: no watermark", "log", p, "err", err)
		return
	}
	f.reach[p].await(max(end, f.cfg.Log.End(p)), asked)
}

// skipTrimmed lets a log be caught up whose last records were trimmed before
// they could be read: nothing will come of them.
func (f *Feed) skipTrimmed(p wire.LogID) {
	if p == wire.StateLog { // its last record stays
		return
	}
	f.mu.Lock()
	end, behind := f.behind[p]
	f.mu.Unlock()
	missing := f.reach[p].missing()
	if !behind && missing == 0 {
		return
	}
	floor := f.cfg.Log.Floor(p)
	if behind && floor >= end {
		f.chain[p].Skip(end)
	}
	if floor >= max(end, missing) {
		f.reached(p, floor)
	}
}
