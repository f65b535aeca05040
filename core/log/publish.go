package log

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"selvedge/internal/bug"
	"selvedge/wire"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Placed is where a post is in the logs. Duplicate says that it was there
// already: the place is that of the first.
type Placed struct {
	P         wire.LogID
	Seq       wire.Seq
	Duplicate bool
}

// Publish appends a checked post to its channel's log and returns when the log
// has it, in the sense of Config.Sync. With post.MsgID, a repetition by the
// same publisher in the same channel within the window is a Duplicate, or
// ErrIDReused when it says something else. Other errors: ErrUnavailable (also
// when ctx ends: the outcome is then unknown), ErrTooLarge. Calls may be
// concurrent, and are cheap so; posts of one channel get the order of the
// calls when each waits for the one before.
func (s *Store) Publish(ctx context.Context, publisher string, post *wire.Post) (Placed, error) {
	placed := Placed{P: wire.LogOf(post.Ch, s.cfg.Logs)}
	body := wire.AppendBody(make([]byte, 0, len(post.Data)+len(post.Ch)+128), post)
	var header nats.Header
	var id dedupID
	if post.MsgID != "" {
		id = idOf(post.Ch, publisher, post.MsgID)
		if seq, ok := s.recent[placed.P].find(id, time.Now()); ok {
			placed.Seq, placed.Duplicate = seq, true
			return s.checkSame(ctx, placed, post)
		}
		header = nats.Header{jetstream.MsgIDHeader: {id.String()}}
	}
	ended := make(chan *ackCall, 1)
	call := &ackCall{store: s, p: placed.P, id: id, body: body, ended: ended}
	if err := s.send(ctx, call, channelSubject(placed.P, post.Ch), header); err != nil {
		return Placed{}, err
	}
	defer s.release(call)
	if next(ctx, ended) == nil {
		return Placed{}, unavailable(ctx.Err())
	}
	if call.got.err != nil {
		return Placed{}, call.got.err
	}
	placed.Seq, placed.Duplicate = call.got.seq, call.got.duplicate
	if placed.Duplicate {
		return s.checkSame(ctx, placed, post)
	}
	return placed, nil
}

// dedupID is what the log remembers of an idempotency id: it counts within its
// channel and publisher only (rule 9). 128 bits, so that nobody finds two alike.
// Zero = none was given.
type dedupID [16]byte

// String is how the log's engine has it.
func (id dedupID) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

func idOf(ch wire.Channel, publisher, id string) dedupID {
	if bug.On(bug.SharedID) {
		ch = ""
	}
	var b []byte
	for _, s := range []string{string(ch), publisher, id} {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	sum := sha256.Sum256(b)
	return dedupID(sum[:16])
}

// checkSame compares a repeated post with the first one, and returns the place of
// that.
func (s *Store) checkSame(ctx context.Context, first Placed, post *wire.Post) (Placed, error) {
	msgs, err := s.get(ctx, first.P, getRequest{Seq: first.Seq})
	if errors.Is(err, errNotFound) {
		return first, nil // trimmed since: nothing left to compare with
	}
	if err != nil {
		return Placed{}, err
	}
	was, err := wire.ParseBody(msgs[0].data)
	if err != nil {
		return Placed{}, fmt.Errorf("read log %s at %d: %w", logName(first.P), first.Seq, err)
	}
	if !was.Same(post) {
		return Placed{}, fmt.Errorf("%w: %q is the frame %d of log %d", ErrIDReused, post.MsgID, first.Seq, first.P)
	}
	return first, nil
}
