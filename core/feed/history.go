package feed

import (
	"context"

	"selvedge/wire"
)

func (f *Feed) history(ctx context.Context, q *wire.Query) (*wire.Answer, error) {
	h, err := f.History(ctx, q.Ch, q.Before, q.After, q.Limit)
	if err != nil {
		return nil, err
	}
	return &wire.Answer{Epoch: f.Epoch(), Frames: h.Frames, Floor: h.Floor, Oldest: h.Oldest, Last: h.Last}, nil
}

// Page is one page of a channel's history.
type Page struct {
	Frames []wire.Data // whole messages, oldest first
	Floor  wire.Seq    // the channel's last frame that is gone, 0 = none is
	Oldest wire.Seq    // Floor holds as long as the log's floor is below it; 0 = not known
	Last   wire.Seq    // the channel's last frame, gone or not, 0 = none
	More   bool        // there are more in the direction that was asked for: Next goes on
	Next   wire.Seq    // after, or before, for the next page
}

// History reads one page: the oldest limit frames after a position, or the
// newest before one (nil = the end).
func (f *Feed) History(ctx context.Context, ch wire.Channel, before, after *wire.Seq, limit int) (Page, error) {
	if err := ch.Check(); err != nil {
		return Page{}, err
	}
	limit = pageLimit(limit)
	p := wire.LogOf(ch, f.logs)
	w := wanted{ch: ch}
	var err error
	switch {
	case before != nil && *before <= 1: // nothing lies there
	case after != nil:
		var upto wire.Seq
		if before != nil {
			upto = *before - 1
		}
		w.stored, w.more, err = f.readOldest(ctx, ch, *after, upto, limit, replyBytes)
	default:
		var from wire.Seq
		if before != nil {
			from = *before
		}
		w.stored, w.more, err = f.readNewest(ctx, ch, 0, from, limit, replyBytes)
	}
	if err != nil {
		return Page{}, err
	}
	page := Page{Last: f.chain[p].Last(wire.FramesKey(ch)).Seq, More: w.more}
	if page.Floor, page.Oldest, err = f.floor(ctx, p, ch); err != nil {
		return Page{}, err
	}
	for len(w.stored) > 0 && w.stored[0].Seq <= page.Floor {
		w.stored = w.stored[1:] // trimmed since it was read
	}
	if len(w.stored) == 0 {
		return page, nil
	}
	if page.More {
		page.Next = w.stored[0].Seq
		if after != nil {
			page.Next = w.stored[len(w.stored)-1].Seq
		}
	}
	page.Last = max(page.Last, w.stored[len(w.stored)-1].Seq) // the feed may be a moment behind
	prev, err := f.prevs(p).of(ctx, ch, w.stored[0].Seq)
	if err != nil {
		return Page{}, err
	}
	page.Frames = frames(p, w.stored, prev)
	return page, nil
}

// floor is the channel's last frame that is gone; 0 = none is. oldest is the
// first that is not; 0 = not known.
func (f *Feed) floor(ctx context.Context, p wire.LogID, ch wire.Channel) (gone, oldest wire.Seq, err error) {
	floor := f.cfg.Log.Floor(p)
	if floor == 0 && f.chain[p].Base() == 0 {
		return 0, 1, nil // none of the log is
	}
	w := wanted{ch: ch}
	last := f.chain[p].Reaches(wire.FramesKey(ch))
	if last > floor {
		if w.stored, _, err = f.cfg.Log.ReadChannel(ctx, ch, floor, 0, 1, 1); err != nil {
			return 0, 0, err
		}
	}
	if len(w.stored) > 0 {
		oldest = w.stored[0].Seq
	}
	prev, some, err := f.beforeFirst(ctx, p, &w, f.tails[p].End())
	if err != nil || !some {
		return 0, oldest, err
	}
	return prev, oldest, nil
}
