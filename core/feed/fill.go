package feed

import (
	"context"
	"fmt"

	corelog "selvedge/core/log"
	"selvedge/internal/bug"
	"selvedge/wire"
)

const (
	// fillBytes is what one channel's fill, and fillTotal what one answer, may
	// take: the rest comes by the next question.
	fillBytes = 1 << 20
	fillTotal = 4 << 20
	// fillFrames is how many frames one channel's fill may have; fewFrames is
	// enough for most.
	fillFrames = 4096
	fewFrames  = 32
)

// fill answers frames of each channel in (after, upto], as many as fit. The
// newest ones, so that the asker's range grows downward until it reaches what
// it needs; or, if q.Oldest, the oldest ones, so that a reader whose backlog no
// cache could hold gets it in order, piece by piece.
func (f *Feed) fill(ctx context.Context, q *wire.Query) (*wire.Answer, error) {
	if len(q.Afters) != len(q.Chs) || len(q.Uptos) != len(q.Chs) {
		return nil, fmt.Errorf("%w: a fill of %d channels with %d and %d positions", errBad, len(q.Chs), len(q.Afters), len(q.Uptos))
	}
	room := fillBytes
	if q.Bytes > 0 {
		room = min(q.Bytes, fillBytes)
	}
	a := &wire.Answer{Epoch: f.Epoch()}
	total := 0
	for i, ch := range q.Chs {
		w := wanted{ch: ch, after: q.Afters[i], upto: q.Uptos[i], oldest: q.Oldest, room: room}
		fill := w.nothing()
		if total < fillTotal {
			var err error
			if fill, err = f.fillOne(ctx, &w); err != nil {
				return nil, err
			}
		}
		for _, fr := range fill.Frames {
			total += len(fr)
		}
		a.Fills = append(a.Fills, fill)
	}
	return a, nil
}

// wanted is one channel of a fill, and what was read of it.
type wanted struct {
	ch          wire.Channel
	after, upto wire.Seq
	oldest      bool
	room        int // bytes

	stored []corelog.Stored // oldest first, in (after, upto]
	more   bool             // there are others above (oldest) or below stored
}

// nothing is the fill that asks to be asked again.
func (w *wanted) nothing() wire.Fill {
	if w.oldest {
		return wire.Fill{Ch: w.ch, Floor: w.after, Upto: w.after, More: w.after < w.upto}
	}
	return wire.Fill{Ch: w.ch, Floor: w.upto, Upto: w.upto}
}

func (f *Feed) fillOne(ctx context.Context, w *wanted) (wire.Fill, error) {
	if err := w.ch.Check(); err != nil {
		return wire.Fill{}, err
	}
	p := wire.LogOf(w.ch, f.logs)
	if f.tails[p].End() < w.upto {
		return wire.Fill{}, fmt.Errorf("log %d is at %d, %d is asked for", p, f.tails[p].End(), w.upto)
	}
	fill := wire.Fill{Ch: w.ch, Floor: w.after, Upto: w.upto}
	if !f.chain[p].Moved(wire.FramesKey(w.ch), w.after) {
		return fill, nil
	}
	if err := f.readWanted(ctx, w); err != nil {
		return wire.Fill{}, err
	}
	if w.oldest && w.more {
		fill.Upto, fill.More = w.stored[len(w.stored)-1].Seq, true
	}
	prev, gone, err := f.beforeFirst(ctx, p, w, fill.Upto)
	if bug.On(bug.HiddenTrim) {
		prev, gone = min(prev, w.after), false
	}
	switch {
	case err != nil:
		return wire.Fill{}, err
	case prev <= w.after:
	case gone:
		fill.Floor, fill.Gone = prev, prev
	case w.more && !w.oldest:
		fill.Floor = prev
	}
	fill.Frames = frames(p, w.stored, prev)
	return fill, nil
}

func (f *Feed) readWanted(ctx context.Context, w *wanted) (err error) {
	if w.oldest {
		w.stored, w.more, err = f.readOldest(ctx, w.ch, w.after, w.upto, fillFrames, w.room)
		return err
	}
	// Most askers lack a few frames: read few first.
	w.stored, w.more, err = f.readNewest(ctx, w.ch, w.after, w.upto+1, fewFrames, w.room)
	if err == nil && w.more && len(w.stored) > 0 && w.stored[0].Seq > w.after {
		w.stored, w.more, err = f.readNewest(ctx, w.ch, w.after, w.upto+1, fillFrames, w.room)
	}
	for len(w.stored) > 0 && w.stored[0].Seq <= w.after {
		w.stored, w.more = w.stored[1:], false
	}
	return err
}

// beforeFirst is the channel's last frame before what was read of it, or before
// upto if that is nothing, and whether it is gone. What was trimmed since it was
// read is taken out.
func (f *Feed) beforeFirst(ctx context.Context, p wire.LogID, w *wanted, upto wire.Seq) (prev wire.Seq, gone bool, err error) {
	// Asked for last: what was trimmed meanwhile is known to be gone.
	floor := f.cfg.Log.Floor(p)
	for len(w.stored) > 0 && w.stored[0].Seq <= floor {
		prev, w.stored = w.stored[0].Seq, w.stored[1:]
	}
	switch {
	case prev > 0: // it was there a moment ago
		return prev, true, nil
	case len(w.stored) > 0:
		prev, err = f.prevs(p).of(ctx, w.ch, w.stored[0].Seq)
	default:
		prev, err = f.lastBelow(ctx, p, w.ch, upto, floor)
	}
	// Neither trimmed nor unseen, and yet not read: another channel's, of the
	// same hash.
	return prev, prev <= max(floor, f.chain[p].Base()), err
}

// lastBelow is the position of the channel's last frame up to upto, where the
// log, which begins after floor, has none of it; or a later one.
func (f *Feed) lastBelow(ctx context.Context, p wire.LogID, ch wire.Channel, upto, floor wire.Seq) (wire.Seq, error) {
	at := f.chain[p].Reaches(wire.FramesKey(ch))
	if at <= upto {
		return at, nil
	}
	// From the first frame that is left, it is not far.
	next, _, err := f.cfg.Log.ReadChannel(ctx, ch, upto, 0, 1, 1)
	if err != nil {
		return 0, err
	}
	prevs := f.prevs(p)
	if len(next) > 0 {
		if at, err = prevs.of(ctx, ch, next[0].Seq); err != nil {
			return 0, err
		}
	}
	if prev, ok := prevs.r.Back(at, upto, lostStepsEach); ok {
		return prev, nil
	}
	return min(upto, floor), nil
}
