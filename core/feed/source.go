package feed

import (
	"context"

	corelog "selvedge/core/log"
	"selvedge/wire"
	"selvedge/wire/tail"
)

// readBytes is how much of a log a link that fell behind reads at once.
const readBytes = 1 << 20

// Epoch implements link.Source.
func (f *Feed) Epoch() string { return f.cfg.Log.Epoch() }

// Logs implements link.Source.
func (f *Feed) Logs() int { return f.logs }

// Tail implements link.Source.
func (f *Feed) Tail(p wire.LogID) *tail.Tail { return f.tails[p] }

// End implements link.Source.
func (f *Feed) End(p wire.LogID) wire.Seq {
	if t := f.tails[p]; t != nil {
		return t.End()
	}
	return 0
}

// Read implements link.Source. It reads no further than the tail, which has
// what follows.
func (f *Feed) Read(ctx context.Context, p wire.LogID, after wire.Seq, want func([2]wire.Key) bool) (records []tail.Record, upto, floor wire.Seq, err error) {
	end := f.tails[p].End()
	stored, err := f.cfg.Log.Read(ctx, p, after, readBytes)
	if err != nil {
		return nil, 0, 0, err
	}
	if upto = max(after, end); len(stored) > 0 {
		upto = min(stored[len(stored)-1].Seq, upto)
	}
	if p == wire.StateLog {
		records, err = f.stateRecords(stored, upto, want)
		return records, upto, 0, err // its holes are superseded records
	}
	records, floor, err = f.older(ctx, p, stored, upto, want)
	return records, upto, floor, err
}

// older makes the wanted records of frames that the tail has let go. Their prevs
// are those that they had then: a client that is at home between the two must
// not see a hole. floor is asked for after everything else was read, so that
// what was trimmed meanwhile is known to be gone.
func (f *Feed) older(ctx context.Context, p wire.LogID, stored []corelog.Stored, upto wire.Seq, want func([2]wire.Key) bool) (out []tail.Record, floor wire.Seq, err error) {
	prevs := f.prevs(p)
	for i := range stored {
		s := &stored[i]
		if s.Seq > upto {
			break
		}
		post, err := wire.ParseBody(s.Body)
		if err != nil {
			f.unreadable(p, s.Seq, err)
			continue
		}
		if !want([2]wire.Key{wire.FramesKey(post.Ch)}) {
			continue
		}
		prev, err := prevs.of(ctx, post.Ch, s.Seq)
		if err != nil {
			return nil, 0, err
		}
		out = append(out, place(p, s, prev))
	}
	floor = f.cfg.Log.Floor(p)
	for len(out) > 0 && out[0].Seq <= floor {
		out = out[1:]
	}
	return out, floor, nil
}

// place is the record of a stored frame, whose channel it knows to be good.
func place(p wire.LogID, s *corelog.Stored, prev wire.Seq) tail.Record {
	r := tail.Record{Seq: s.Seq, Kind: tail.Frame, Bytes: wire.AppendFrame(make([]byte, 0, len(s.Body)+48), p, s.Seq, prev, s.Body)}
	if post, err := wire.ParseBody(s.Body); err == nil {
		r.Keys[0] = wire.FramesKey(post.Ch)
	}
	return r
}

// Moved implements link.Source.
func (f *Feed) Moved(dst []wire.Key, p wire.LogID, keys []wire.Key, since wire.Seq) []wire.Key {
	if p == wire.StateLog {
		return f.movedState(dst, keys, since)
	}
	for _, k := range keys {
		if f.chain[p].Moved(k, since) {
			dst = append(dst, k)
		}
	}
	return dst
}

// lostSteps bounds what one call of Lost looks at, and lostStepsEach what it
// does for one channel: of a busy one something is lost anyway. A step takes
// some 2 us on disk, less where frames are near each other.
const (
	lostSteps     = 500_000
	lostStepsEach = 256
)

// Lost implements link.Source. The state log loses nothing: the last record of
// each key is kept.
func (f *Feed) Lost(dst []wire.Key, p wire.LogID, keys map[wire.Key]struct{}, after, floor wire.Seq) []wire.Key {
	if p == wire.StateLog {
		return dst
	}
	r := f.chain[p].Reader()
	left := lostSteps
	for k := range keys {
		from := f.chain[p].Reaches(k)
		if from <= after {
			continue
		}
		at, ok := r.Back(from, floor, min(left, lostStepsEach))
		if !ok || at > after {
			dst = append(dst, k)
		}
		if from > floor {
			left = max(left-lostStepsEach, 0)
		}
	}
	return dst
}

// Signal implements link.Source.
func (f *Feed) Signal(node string, s *wire.Signal) { f.cfg.Signal(node, s) }
