package feed_test

import (
	"context"
	"slices"
	"sync/atomic"

	corelog "selvedge/core/log"
	"selvedge/wire"
)

// cutLog is a log that can be trimmed at will, and counts what is read.
type cutLog struct {
	*corelog.Store
	floors   []atomic.Uint64 // by frame log
	followed atomic.Int64    // frames that were given to who follows
}

func (l *cutLog) trim(p wire.LogID, floor wire.Seq) { l.floors[p].Store(uint64(floor)) }

func (l *cutLog) Floor(p wire.LogID) wire.Seq {
	if p == wire.StateLog {
		return l.Store.Floor(p)
	}
	return max(l.Store.Floor(p), wire.Seq(l.floors[p].Load()))
}

func (l *cutLog) Follow(ctx context.Context, p wire.LogID, after wire.Seq, fn func([]corelog.Stored) error) error {
	return l.Store.Follow(ctx, p, after, func(records []corelog.Stored) error {
		if p == wire.StateLog {
			return fn(records)
		}
		if records = l.left(p, records); len(records) == 0 {
			return nil
		}
		l.followed.Add(int64(len(records)))
		return fn(records)
	})
}

// left is what of frames lies above the floor.
func (l *cutLog) left(p wire.LogID, frames []corelog.Stored) []corelog.Stored {
	for len(frames) > 0 && frames[0].Seq <= l.Floor(p) {
		frames = frames[1:]
	}
	return frames
}

func (l *cutLog) Read(ctx context.Context, p wire.LogID, after wire.Seq, maxBytes int) ([]corelog.Stored, error) {
	if p != wire.StateLog {
		after = max(after, l.Floor(p))
	}
	return l.Store.Read(ctx, p, after, maxBytes)
}

func (l *cutLog) ReadChannel(ctx context.Context, ch wire.Channel, after, upto wire.Seq, limit, maxBytes int) ([]corelog.Stored, bool, error) {
	return l.Store.ReadChannel(ctx, ch, max(after, l.Floor(wire.LogOf(ch, l.Logs()))), upto, limit, maxBytes)
}

func (l *cutLog) ReadAt(ctx context.Context, p wire.LogID, seqs []wire.Seq) ([]corelog.Stored, error) {
	seqs = slices.DeleteFunc(slices.Clone(seqs), func(s wire.Seq) bool { return s <= l.Floor(p) })
	return l.Store.ReadAt(ctx, p, seqs)
}

func (l *cutLog) ReadBefore(ctx context.Context, ch wire.Channel, before wire.Seq, limit, maxBytes int) ([]corelog.Stored, bool, error) {
	frames, more, err := l.Store.ReadBefore(ctx, ch, before, limit, maxBytes)
	if err != nil || len(frames) == 0 {
		return frames, more, err
	}
	p := wire.LogOf(ch, l.Logs())
	all := len(frames)
	if frames = l.left(p, frames); len(frames) < all || !more {
		return frames, false, nil
	}
	older, _, err := l.Store.ReadBefore(ctx, ch, frames[0].Seq, 1, 1)
	return frames, len(l.left(p, older)) > 0, err
}
