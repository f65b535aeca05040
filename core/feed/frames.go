package feed

import (
	"context"
	"time"

	corelog "selvedge/core/log"
	"selvedge/wire"
)

// frames encodes stored frames of one channel, the first of which follows prev.
func frames(p wire.LogID, stored []corelog.Stored, prev wire.Seq) []wire.Data {
	out := make([]wire.Data, 0, len(stored))
	for i := range stored {
		out = append(out, wire.Data(place(p, &stored[i], prev).Bytes))
		prev = stored[i].Seq
	}
	return out
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
