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

// Read implements link.Source. It reads no further than the tail, which has
// what follows.
func (f *Feed) Read(ctx context.Context, p wire.LogID, after wire.Seq, want func([2]wire.Key) bool) (records []tail.Record, upto, floor wire.Seq, err error) {
	end := f.tails[p].End()
	stored, err := f.cfg.Log.Read(ctx, p, after, readBytes)
	if err != nil {
		return nil, 0, 0, err
	}
	if p != wire.StateLog { // the state log's holes are superseded records
		floor = f.cfg.Log.Floor(p)
	}
	if upto = max(after, end); len(stored) > 0 {
		upto = min(stored[len(stored)-1].Seq, upto)
	}
	prevs := map[wire.Channel]wire.Seq{}
	for i := range stored {
		s := &stored[i]
		if s.Seq > upto {
			break
		}
		var r tail.Record
		if s.State != nil {
			r, err = stateRecord(s.State)
		} else {
			r, err = f.older(ctx, p, s, prevs, want)
		}
		if err != nil {
			return nil, 0, 0, err
		}
		if r.Seq > 0 && want(r.Keys) {
			records = append(records, r)
		}
	}
	return records, upto, floor, nil
}

// older is the record of a frame that the tail has let go, if it is wanted. Its
// prev is as exact as it was then: a client that is at home between the two
// must not see a hole. prevs holds what this read has met.
func (f *Feed) older(ctx context.Context, p wire.LogID, s *corelog.Stored, prevs map[wire.Channel]wire.Seq, want func([2]wire.Key) bool) (tail.Record, error) {
	post, err := wire.ParseBody(s.Body)
	if err != nil {
		return tail.Record{}, err
	}
	if !want([2]wire.Key{wire.FramesKey(post.Ch)}) {
		return tail.Record{}, nil
	}
	prev, ok := prevs[post.Ch]
	if !ok {
		before, _, err := f.cfg.Log.ReadBefore(ctx, post.Ch, s.Seq, 1, 1)
		if err != nil {
			return tail.Record{}, err
		}
		if prev = f.cfg.Log.Floor(p); len(before) > 0 {
			prev = max(prev, before[0].Seq)
		}
	}
	prevs[post.Ch] = s.Seq
	return place(p, s, prev), nil
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
		return append(dst, keys...)
	}
	for _, k := range keys {
		if f.index[p].moved(k, since) {
			dst = append(dst, k)
		}
	}
	return dst
}

// Signal implements link.Source.
func (f *Feed) Signal(node string, s *wire.Signal) { f.cfg.Signal(node, s) }
