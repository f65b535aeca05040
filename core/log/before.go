package log

import (
	"context"
	"errors"

	"selvedge/wire"
)

// ReadBefore returns the newest frames of ch below a position (0 = the end),
// oldest first, at most limit and about maxBytes of them, but one if there is
// any. more says that older ones exist.
//
// JetStream reads forwards only. But it counts: how many frames of a channel
// lie at or after a position. So the start of the page is searched by count, in
// a few questions, wherever the channel's frames lie; a scan backwards in steps
// would cost a sparse channel the whole log.
func (s *Store) ReadBefore(ctx context.Context, ch wire.Channel, before wire.Seq, limit, maxBytes int) (frames []Stored, more bool, err error) {
	limit = max(limit, 1)
	from, skipped, err := s.pageStart(ctx, ch, before, limit)
	if err != nil || from == 0 {
		return nil, false, err
	}
	size := 0
	err = s.scan(ctx, ch, from-1, 2*limit, 2*maxBytes, func(r record) bool {
		if before != 0 && r.seq >= before {
			return false
		}
		frames, size = append(frames, Stored{Seq: r.seq, Body: r.data}), size+len(r.data)
		for len(frames) > limit || len(frames) > 1 && size > maxBytes {
			size -= len(frames[0].Body)
			frames[0] = Stored{} // the array lives on, its body need not
			frames, more = frames[1:], true
		}
		return true
	})
	if err != nil {
		return nil, false, err
	}
	return frames, more || skipped && len(frames) > 0, nil
}

// pageStart is a position from which ch has at least limit frames below before,
// and not many more; or all, then skipped is false. 0 = ch has none there.
func (s *Store) pageStart(ctx context.Context, ch wire.Channel, before wire.Seq, limit int) (from wire.Seq, skipped bool, err error) {
	first, total, err := s.count(ctx, ch, 1)
	if err != nil || total == 0 || before != 0 && first >= before {
		return 0, false, err
	}
	beyond := uint64(0)
	if before != 0 {
		if _, beyond, err = s.count(ctx, ch, before); err != nil {
			return 0, false, err
		}
	}
	want := uint64(limit)
	if total-min(beyond, total) <= want {
		return first, false, nil
	}
	last, err := s.lastBelow(ctx, ch, before)
	if err != nil {
		return 0, false, err
	}
	// lo has enough frames from it on, hi has too few.
	lo, nlo := first, total-beyond
	hi, nhi := last+1, uint64(0)
	// Copies that are behind count fewer: then the search may end early, and the
	// page is found from further below.
	for nlo > 2*want && nlo > nhi && hi > lo+1 {
		mid := guess(lo, hi, nlo, nhi, want)
		at, n, err := s.count(ctx, ch, mid)
		if err != nil {
			return 0, false, err
		}
		if n -= min(beyond, n); n >= want {
			lo, nlo = max(mid, at), n
		} else {
			hi, nhi = mid, n
		}
	}
	return lo, lo > first, nil
}

// guess is a position between lo and hi (exclusive) where about 1.5 times want
// frames should remain, if they lie evenly; alternately with the middle it
// would be safe, so it is pulled a quarter towards it.
func guess(lo, hi wire.Seq, nlo, nhi, want uint64) wire.Seq {
	span := float64(hi - lo)
	share := (float64(want)*1.5 - float64(nhi)) / float64(nlo-nhi)
	share = min(max(share, 0), 1)
	share = share*0.75 + 0.5*0.25
	return min(max(hi-wire.Seq(span*share), lo+1), hi-1)
}

// count is the first frame of ch at or after a position, and how many there are
// from it on.
func (s *Store) count(ctx context.Context, ch wire.Channel, at wire.Seq) (first wire.Seq, n uint64, err error) {
	p := wire.LogOf(ch, s.cfg.Logs)
	records, err := s.get(ctx, p, getRequest{Seq: at, NextFor: channelSubject(p, ch), Batch: 1, MaxBytes: 1})
	if errors.Is(err, errNotFound) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, err
	}
	return records[0].seq, records[0].pending + 1, nil
}

// lastBelow is the position of ch's last frame, or before-1 if that is less.
func (s *Store) lastBelow(ctx context.Context, ch wire.Channel, before wire.Seq) (wire.Seq, error) {
	p := wire.LogOf(ch, s.cfg.Logs)
	records, err := s.get(ctx, p, getRequest{LastFor: channelSubject(p, ch)})
	if errors.Is(err, errNotFound) {
		return before, nil // trimmed meanwhile
	}
	if err != nil {
		return 0, err
	}
	if last := records[0].seq; before == 0 || last < before {
		return last, nil
	}
	return before - 1, nil
}
