package replica

import (
	"context"
	"slices"

	corelog "selvedge/core/log"
	"selvedge/wire"
)

// followed is how many records a follower is given at a time, at most.
const followed = 1024

// Follow is core/log's Store.Follow: it gives what this core's copy has.
func (s *Store) Follow(ctx context.Context, p wire.LogID, after wire.Seq, fn func([]corelog.Stored) error) error {
	for {
		s.c.mu.Lock()
		changed := s.c.changed[s.core]
		lg := s.c.logs[s.c.index(p)]
		var batch []corelog.Stored
		if upto := min(lg.has[s.core], after+followed); upto > after && s.c.epoch == s.epoch {
			batch = lg.storedLocked(after, upto)
		}
		s.c.mu.Unlock()
		if len(batch) == 0 {
			select {
			case <-changed:
				continue
			case <-s.closed:
				return unavailable(errClosed)
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		after = batch[len(batch)-1].Seq
		s.advance(p, after)
		if err := fn(batch); err != nil {
			return err
		}
	}
}

// storedLocked are the records in (after, upto].
func (lg *sharedLog) storedLocked(after, upto wire.Seq) (out []corelog.Stored) {
	for seq := after + 1; seq <= upto; seq++ {
		out = append(out, lg.oneLocked(seq))
	}
	return out
}

func (lg *sharedLog) oneLocked(seq wire.Seq) corelog.Stored {
	r := &lg.records[seq-1]
	if r.state == nil {
		return corelog.Stored{Seq: seq, Body: r.body}
	}
	own := *r.state
	return corelog.Stored{Seq: seq, State: &own}
}

// upto is how far log p can be read now: as far as this core's copy is, if that
// has position needed, or else, or if needed is 0, as far as the leader says.
func (s *Store) upto(ctx context.Context, p wire.LogID, needed wire.Seq) (wire.Seq, error) {
	s.c.mu.Lock()
	has := s.c.logs[s.c.index(p)].has[s.core]
	s.c.mu.Unlock()
	if needed > 0 && has >= needed {
		return has, nil
	}
	return s.Latest(ctx, p)
}

// Read is core/log's Store.Read.
func (s *Store) Read(ctx context.Context, p wire.LogID, after wire.Seq, maxBytes int) ([]corelog.Stored, error) {
	end, err := s.upto(ctx, p, after+1)
	if err != nil {
		return nil, err
	}
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	lg := s.c.logs[s.c.index(p)]
	var out []corelog.Stored
	for size, seq := 0, after+1; seq <= end && (size < maxBytes || out == nil); seq++ {
		r := lg.oneLocked(seq)
		out, size = append(out, r), size+len(r.Body)
	}
	return out, nil
}

// ReadAt is core/log's Store.ReadAt.
func (s *Store) ReadAt(ctx context.Context, p wire.LogID, seqs []wire.Seq) ([]corelog.Stored, error) {
	if len(seqs) == 0 {
		return nil, nil
	}
	end, err := s.upto(ctx, p, slices.Max(seqs))
	if err != nil {
		return nil, err
	}
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	var out []corelog.Stored
	for _, seq := range seqs {
		if seq > 0 && seq <= end {
			out = append(out, s.c.logs[s.c.index(p)].oneLocked(seq))
		}
	}
	return out, nil
}

// ReadChannel is core/log's Store.ReadChannel.
func (s *Store) ReadChannel(ctx context.Context, ch wire.Channel, after, upto wire.Seq, limit, maxBytes int) ([]corelog.Stored, bool, error) {
	all, err := s.channel(ctx, ch, after, upto)
	if err != nil {
		return nil, false, err
	}
	n := within(slices.Values(all), limit, maxBytes)
	return all[:n], n < len(all), nil
}

// ReadBefore is core/log's Store.ReadBefore.
func (s *Store) ReadBefore(ctx context.Context, ch wire.Channel, before wire.Seq, limit, maxBytes int) ([]corelog.Stored, bool, error) {
	if before == 1 {
		return nil, false, nil
	}
	all, err := s.channel(ctx, ch, 0, max(before, 1)-1)
	if err != nil {
		return nil, false, err
	}
	newest := func(yield func(corelog.Stored) bool) {
		for _, r := range slices.Backward(all) {
			if !yield(r) {
				return
			}
		}
	}
	n := within(newest, limit, maxBytes)
	return all[len(all)-n:], n < len(all), nil
}

// channel are the frames of ch in (after, upto]; upto 0 = to the end.
func (s *Store) channel(ctx context.Context, ch wire.Channel, after, upto wire.Seq) (out []corelog.Stored, err error) {
	p := wire.LogOf(ch, s.Logs())
	end, err := s.upto(ctx, p, upto)
	if err != nil {
		return nil, err
	}
	if upto > 0 {
		end = min(end, upto)
	}
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	lg := s.c.logs[s.c.index(p)]
	for seq := after + 1; seq <= end; seq++ {
		if lg.records[seq-1].ch == ch {
			out = append(out, lg.oneLocked(seq))
		}
	}
	return out, nil
}

// within is how many of them fit: one at least, if there is any.
func within(all func(func(corelog.Stored) bool), limit, maxBytes int) (n int) {
	size := 0
	for r := range all {
		if size += len(r.Body); n == max(limit, 1) || n > 0 && size > maxBytes {
			break
		}
		n++
	}
	return n
}
