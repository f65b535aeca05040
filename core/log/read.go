package log

import (
	"context"
	"errors"
	"fmt"

	"selvedge/wire"
)

// Stored is a record at its place: the body of a frame, or a state record with
// its V set. It belongs to who got it; bodies may be kept and must not change.
type Stored struct {
	Seq   wire.Seq
	Body  wire.Body
	State *wire.StateRecord
}

const (
	chunkBytes   = 4 << 20 // of one request to the server
	chunkRecords = 1024
	leastBytes   = 64 << 10
)

func store(p wire.LogID, seq wire.Seq, data []byte) (Stored, error) {
	if p != wire.StateLog {
		return Stored{Seq: seq, Body: data}, nil
	}
	r := new(wire.StateRecord)
	if err := wire.Msgpack.Decode(data, r); err != nil {
		return Stored{}, fmt.Errorf("read log %s at %d: %w", logName(p), seq, err)
	}
	r.V = seq
	return Stored{Seq: seq, State: r}, nil
}

// Read returns records of log p right after a position, in order: one at least
// if there are any, and about maxBytes (at most 4 MiB) in one call. None means
// the end. A first one beyond after+1 says that those between are gone.
func (s *Store) Read(ctx context.Context, p wire.LogID, after wire.Seq, maxBytes int) ([]Stored, error) {
	records, err := s.get(ctx, p, getRequest{Seq: after + 1, Batch: chunkRecords, MaxBytes: min(max(maxBytes, 1), chunkBytes)})
	if errors.Is(err, errNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := make([]Stored, 0, len(records))
	for _, r := range records {
		st, err := store(p, r.seq, r.data)
		if err != nil {
			return nil, err
		}
		out = append(out, st)
	}
	return out, nil
}

// ReadChannel returns the frames of ch in (after, upto], oldest first, at most
// limit and about maxBytes of them, but one if there is any; upto 0 = to the
// end. more says that this range has others beyond the last one returned.
// What lies at or below Floor, asked afterwards, is gone.
func (s *Store) ReadChannel(ctx context.Context, ch wire.Channel, after, upto wire.Seq, limit, maxBytes int) (frames []Stored, more bool, err error) {
	size := 0
	err = s.scan(ctx, ch, after, limit+1, maxBytes, func(r record) bool {
		if upto != 0 && r.seq > upto {
			return false
		}
		if len(frames) == limit || len(frames) > 0 && size+len(r.data) > maxBytes {
			more = true
			return false
		}
		frames, size = append(frames, Stored{Seq: r.seq, Body: r.data}), size+len(r.data)
		return true
	})
	if err != nil {
		return nil, false, err
	}
	return frames, more, nil
}

// scan calls fn with the frames of ch after a position until it returns false;
// expect and maxBytes are what it is likely to take.
func (s *Store) scan(ctx context.Context, ch wire.Channel, after wire.Seq, expect, maxBytes int, fn func(record) bool) error {
	p := wire.LogOf(ch, s.cfg.Logs)
	for {
		records, err := s.get(ctx, p, getRequest{
			Seq: after + 1, NextFor: channelSubject(p, ch),
			Batch: min(max(expect, 1), chunkRecords), MaxBytes: min(max(maxBytes, leastBytes), chunkBytes),
		})
		if errors.Is(err, errNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, r := range records {
			if !fn(r) {
				return nil
			}
		}
		last := records[len(records)-1]
		if last.pending == 0 && s.cfg.kind() == kindSingle {
			return nil // else only errNotFound is the end
		}
		after, expect = last.seq, expect-len(records)
	}
}

// Floor is the position at and below which log p has nothing any more. It is
// asked of the log anew: at least as high as it was for any read before. While
// the log is unavailable, it is the last one known.
//
// Copies of a replicated log let go what is old each by itself, a moment apart.
// So the floor is the higher one of the leader's and of the copy that reads here.
func (s *Store) Floor(p wire.LogID) wire.Seq {
	floor := &s.floors[s.index(p)]
	sess, err := s.session()
	if err != nil {
		return wire.Seq(floor.Load())
	}
	if have, err := sess.extent(context.Background(), p); err == nil {
		raise(floor, uint64(max(have.first, 1)-1))
	}
	if sess.replicated() {
		if near, err := sess.ask(context.Background(), streamName(p), getRequest{Seq: 1, Batch: 1, MaxBytes: 1}); err == nil {
			raise(floor, uint64(near[0].seq-1))
		}
	}
	return wire.Seq(floor.Load())
}
