package feed

import (
	"context"
	"slices"
	"time"

	corelog "selvedge/core/log"
	"selvedge/wire"
)

// The log finds a channel's frames by scanning, which takes milliseconds where
// they lie far apart. The chain knows where they are, so that few frames are
// read at their places: BenchmarkSparse of core/log has both. What the chain
// can't tell for certain is left to the log.
const (
	// placesSteps is how far back along the chain a read goes at most.
	placesSteps = 1024
	// denseSpan is how many of the log's frames may lie between two of the
	// channel's so that a scan from the first to the last is quicker than a get
	// for each.
	denseSpan = 64
	// placesWait is how long the feed may take to have what the log has.
	placesWait = 20 * time.Millisecond
	// firstGets is how many frames are read before their size is known, and
	// mostGets how many at once then.
	firstGets = 8
	mostGets  = 64
)

// places is the positions of the channel's frames in (after, upto], ascending,
// without those that the log has trimmed: the newest limit ones, then more says
// that there are others; limit 0 = all; upto 0 = the end. ok is false if that is not known.
func (f *Feed) places(ctx context.Context, p wire.LogID, ch wire.Channel, after, upto wire.Seq, limit int) (seqs []wire.Seq, more, ok bool) {
	c := f.chain[p]
	if upto == 0 {
		upto = f.cfg.Log.End(p)
	}
	if !f.reaches(ctx, p, upto) {
		return nil, false, false
	}
	floor := max(after, f.cfg.Log.Floor(p))
	base := c.Base()
	r := c.Reader()
	steps := placesSteps
	for at := c.Reaches(wire.FramesKey(ch)); at > floor; steps-- {
		if at <= base || steps == 0 {
			return nil, false, false
		}
		if at <= upto {
			if limit > 0 && len(seqs) == limit {
				more = true
				break
			}
			seqs = append(seqs, at)
		}
		if at, ok = r.Prev(at); !ok {
			return nil, false, false
		}
	}
	slices.Reverse(seqs)
	return seqs, more, true
}

// reaches waits a little until log p was followed to a position.
func (f *Feed) reaches(ctx context.Context, p wire.LogID, at wire.Seq) bool {
	t := f.tails[p]
	if t.End() >= at {
		return true
	}
	follower := t.Follow(at)
	defer follower.Stop()
	limit := time.NewTimer(placesWait)
	defer limit.Stop()
	for t.End() < at {
		select {
		case <-follower.C():
		case <-limit.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// readPlaces reads frames of ch at positions, as many from the first on as have
// about maxBytes, one at least, but for those that were trimmed meanwhile. read
// is how many positions that took; ok is false if something else is there.
func (f *Feed) readPlaces(ctx context.Context, p wire.LogID, ch wire.Channel, seqs []wire.Seq, maxBytes int) (stored []corelog.Stored, read int, ok bool, err error) {
	if n := len(seqs); n > 1 && int(seqs[n-1]-seqs[0]) <= denseSpan*n {
		var more bool
		stored, more, err = f.cfg.Log.ReadChannel(ctx, ch, seqs[0]-1, seqs[n-1], n, maxBytes)
		if read = n; more && len(stored) > 0 {
			read, _ = slices.BinarySearch(seqs, stored[len(stored)-1].Seq+1)
		}
	} else {
		stored, read, err = f.getPlaces(ctx, p, seqs, maxBytes)
	}
	if err != nil {
		return nil, 0, false, err
	}
	// All but trimmed ones must be there, and the channel's.
	missing := seqs[:read]
	if len(stored) > 0 {
		at, _ := slices.BinarySearch(missing, stored[0].Seq)
		for i := range stored {
			if at+i >= read || stored[i].Seq != missing[at+i] || !isOf(&stored[i], ch) {
				return nil, 0, false, nil
			}
		}
		if at+len(stored) != read {
			return nil, 0, false, nil
		}
		missing = missing[:at]
	}
	if len(missing) > 0 && missing[len(missing)-1] > f.cfg.Log.Floor(p) {
		return nil, 0, false, nil
	}
	return stored, read, true, nil
}

func isOf(s *corelog.Stored, ch wire.Channel) bool {
	post, err := wire.ParseBody(s.Body)
	return err == nil && post.Ch == ch
}

// getPlaces gets records one by one, several at a time.
func (f *Feed) getPlaces(ctx context.Context, p wire.LogID, seqs []wire.Seq, maxBytes int) (stored []corelog.Stored, read int, err error) {
	size, n := 0, firstGets
	for read < len(seqs) && (read == 0 || size < maxBytes) {
		n = min(n, len(seqs)-read)
		some, err := f.cfg.Log.ReadAt(ctx, p, seqs[read:read+n])
		if err != nil {
			return nil, 0, err
		}
		for i := range some {
			size += len(some[i].Body)
		}
		stored, read = append(stored, some...), read+n
		n = min(max((maxBytes-size)*read/max(size, 1), 1), mostGets)
	}
	for len(stored) > 1 && size > maxBytes {
		last := len(stored) - 1
		size -= len(stored[last].Body)
		stored, read = stored[:last], read-1
	}
	return stored, read, nil
}

// readOldest is the log's ReadChannel, quicker where frames lie far apart.
func (f *Feed) readOldest(ctx context.Context, ch wire.Channel, after, upto wire.Seq, limit, maxBytes int) ([]corelog.Stored, bool, error) {
	p := wire.LogOf(ch, f.logs)
	if seqs, _, ok := f.places(ctx, p, ch, after, upto, 0); ok {
		n := min(limit, len(seqs))
		stored, read, ok, err := f.readPlaces(ctx, p, ch, seqs[:n], maxBytes)
		if ok || err != nil {
			return stored, read < len(seqs), err
		}
	}
	return f.cfg.Log.ReadChannel(ctx, ch, after, upto, limit, maxBytes)
}

// readNewest is the log's ReadBefore, quicker where frames lie far apart, and
// may leave out those at or below after.
func (f *Feed) readNewest(ctx context.Context, ch wire.Channel, after, before wire.Seq, limit, maxBytes int) ([]corelog.Stored, bool, error) {
	p := wire.LogOf(ch, f.logs)
	if seqs, more, ok := f.places(ctx, p, ch, after, max(before, 1)-1, limit); ok {
		// Read upward, they must all fit: else those that don't are the newest.
		stored, read, ok, err := f.readPlaces(ctx, p, ch, seqs, 2*maxBytes)
		if err != nil {
			return nil, false, err
		}
		if ok && read == len(seqs) {
			size := 0
			for i, st := range slices.Backward(stored) {
				if size += len(st.Body); size > maxBytes && i < len(stored)-1 {
					return stored[i+1:], true, nil
				}
			}
			return stored, more, nil
		}
	}
	return f.cfg.Log.ReadBefore(ctx, ch, before, limit, maxBytes)
}
