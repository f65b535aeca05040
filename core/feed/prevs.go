package feed

import (
	"context"

	"selvedge/core/feed/chain"
	"selvedge/wire"
)

// prevs tells the prevs of one log's frames, for one question.
type prevs struct {
	f *Feed
	p wire.LogID
	r *chain.Reader
}

func (f *Feed) prevs(p wire.LogID) prevs { return prevs{f, p, f.chain[p].Reader()} }

// of is the prev of the frame of ch at seq: the same as the first time. Where
// that is not known any more, the log tells; what it has trimmed may have been
// this channel's.
func (v prevs) of(ctx context.Context, ch wire.Channel, seq wire.Seq) (wire.Seq, error) {
	if prev, ok := v.r.Prev(seq); ok {
		return prev, nil
	}
	before, _, err := v.f.cfg.Log.ReadBefore(ctx, ch, seq, 1, 1)
	if err != nil {
		return 0, err
	}
	if len(before) > 0 {
		return before[0].Seq, nil
	}
	return min(v.f.cfg.Log.Floor(v.p), seq-1), nil
}
