package feed

import (
	"context"
	"fmt"
	"time"

	corelog "selvedge/core/log"
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

// fill answers the newest frames of each channel in (after, upto], as many as
// fit: the asker's range grows downward until it reaches what it needs.
func (f *Feed) fill(ctx context.Context, q *wire.Query) (*wire.Answer, error) {
	if len(q.Afters) != len(q.Chs) || len(q.Uptos) != len(q.Chs) {
		return nil, fmt.Errorf("%w: a fill of %d channels with %d and %d positions", errBad, len(q.Chs), len(q.Afters), len(q.Uptos))
	}
	a := &wire.Answer{Epoch: f.Epoch()}
	total := 0
	for i, ch := range q.Chs {
		fill := wire.Fill{Ch: ch, Floor: q.Uptos[i], Upto: q.Uptos[i]}
		if total < fillTotal {
			var err error
			if fill, err = f.fillOne(ctx, ch, q.Afters[i], q.Uptos[i]); err != nil {
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

func (f *Feed) fillOne(ctx context.Context, ch wire.Channel, after, upto wire.Seq) (wire.Fill, error) {
	if err := ch.Check(); err != nil {
		return wire.Fill{}, err
	}
	p := wire.LogOf(ch, f.logs)
	if f.tails[p].End() < upto {
		return wire.Fill{}, fmt.Errorf("log %d is at %d, %d is asked for", p, f.tails[p].End(), upto)
	}
	fill := wire.Fill{Ch: ch, Floor: after, Upto: upto}
	if !f.index[p].moved(wire.FramesKey(ch), after) {
		return fill, nil
	}
	// Most askers lack a few frames: read few first.
	stored, more, err := f.cfg.Log.ReadBefore(ctx, ch, upto+1, fewFrames, fillBytes)
	if err == nil && more && len(stored) > 0 && stored[0].Seq > after {
		stored, more, err = f.cfg.Log.ReadBefore(ctx, ch, upto+1, fillFrames, fillBytes)
	}
	if err != nil {
		return wire.Fill{}, err
	}
	first := 0
	for first < len(stored) && stored[first].Seq <= after {
		first++
	}
	// The frame before the first one tells its prev.
	var prev wire.Seq
	switch {
	case first > 0:
		prev = stored[first-1].Seq
	case more && len(stored) > 0:
		if prev, err = f.before(ctx, ch, stored[0].Seq); err != nil {
			return wire.Fill{}, err
		}
		fill.Floor = max(after, prev)
	}
	stored = stored[first:]
	// Asked for last: what was trimmed meanwhile is known to be gone, and may
	// have been this channel's.
	if floor := f.cfg.Log.Floor(p); floor > prev {
		prev = floor
		if floor > after {
			fill.Floor, fill.Gone = floor, floor
		}
	}
	for len(stored) > 0 && stored[0].Seq <= prev {
		stored = stored[1:]
	}
	fill.Frames = frames(p, stored, prev)
	return fill, nil
}

// frames encodes stored frames of one channel, the first of which follows prev.
func frames(p wire.LogID, stored []corelog.Stored, prev wire.Seq) []wire.Data {
	out := make([]wire.Data, 0, len(stored))
	for i := range stored {
		out = append(out, wire.Data(place(p, &stored[i], prev).Bytes))
		prev = stored[i].Seq
	}
	return out
}

func (f *Feed) history(ctx context.Context, q *wire.Query) (*wire.Answer, error) {
	h, err := f.History(ctx, q.Ch, q.Before, q.After, q.Limit)
	if err != nil {
		return nil, err
	}
	return &wire.Answer{Epoch: f.Epoch(), Frames: h.Frames, Floor: h.Floor, Last: h.Last}, nil
}

// Page is one page of a channel's history.
type Page struct {
	Frames []wire.Data // whole messages, oldest first
	Floor  wire.Seq    // frames up to it are gone
	Last   wire.Seq    // the channel's last frame, 0 = none
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
	var stored []corelog.Stored
	var more bool
	var err error
	base := wire.Seq(0)
	switch {
	case before != nil && *before <= 1: // nothing lies there
	case after != nil:
		base = *after
		var upto wire.Seq
		if before != nil {
			upto = *before - 1
		}
		stored, more, err = f.cfg.Log.ReadChannel(ctx, ch, *after, upto, limit, replyBytes)
	default:
		var from wire.Seq
		if before != nil {
			from = *before
		}
		stored, more, err = f.cfg.Log.ReadBefore(ctx, ch, from, limit, replyBytes)
		if more && len(stored) > 0 {
			base = stored[0].Seq - 1
		}
	}
	if err != nil {
		return Page{}, err
	}
	// Asked for last: what was trimmed meanwhile is known to be gone.
	floor := f.cfg.Log.Floor(p)
	for len(stored) > 0 && stored[0].Seq <= floor {
		stored = stored[1:]
	}
	page := Page{Floor: floor, Last: f.index[p].of(wire.FramesKey(ch)).seq, More: more}
	if more && len(stored) > 0 {
		page.Next = stored[0].Seq
		if after != nil {
			page.Next = stored[len(stored)-1].Seq
		}
	}
	page.Frames = frames(p, stored, max(base, page.Floor))
	return page, nil
}

// publish appends a client's post; the edge has checked what it may.
func (f *Feed) publish(ctx context.Context, q *wire.Query) (*wire.Answer, error) {
	post := wire.Post{Ch: q.Ch, TS: time.Now().UnixMilli(), From: q.From, MsgID: q.MsgID, Refs: q.Refs, Data: q.Data}
	if err := post.Check(); err != nil {
		return nil, err
	}
	placed, err := f.cfg.Publish(ctx, "user:"+q.From, &post)
	if err != nil {
		return nil, err
	}
	return &wire.Answer{P: placed.P, Seq: placed.Seq, Epoch: f.Epoch()}, nil
}
