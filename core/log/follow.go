package log

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"selvedge/wire"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	pullRecords  = 1024             // of one pull; two are on the way at most
	pullExpires  = 30 * time.Second // a pull that found too little ends then
	pullBeat     = 5 * time.Second  // the server says that it is alive
	sharedBeat   = time.Second      // the same of a server that may go away
	silentBeats  = 3                // a consumer silent for so many is given up
	batchBytes   = 1 << 20          // fn is given about so much at a time
	retryFollow  = 100 * time.Millisecond
	idleConsumer = time.Minute // the server forgets abandoned consumers then
)

// Follow calls fn with every record of log p after a position, in order, for
// ever: all that is at hand at a time, some MiB at most. A position that jumps
// says that those between are gone. It lives through reopening of the log, and
// returns when ctx ends (with ctx's error), when fn fails (with fn's error),
// when the store is closed (ErrUnavailable), or with ErrTailLost.
func (s *Store) Follow(ctx context.Context, p wire.LogID, after wire.Seq, fn func([]Stored) error) error {
	f := follower{store: s, p: p, at: after, fn: fn}
	for {
		sess, err := s.await(ctx)
		if err != nil {
			return err
		}
		err = f.run(ctx, sess)
		var stop *stopError
		switch {
		case errors.As(err, &stop):
			return stop.error
		case ctx.Err() != nil:
			return ctx.Err()
		}
		s.log.DebugContext(ctx, "following a log again", "log", logName(p), "after", f.at, "cause", err)
		if err := sleep(ctx, retryFollow); err != nil {
			return err
		}
	}
}

// stopError carries the error of fn, or of a record that can't be read.
type stopError struct{ error }

// follower is one Follow. It is used by its goroutine only.
type follower struct {
	store *Store
	p     wire.LogID
	at    wire.Seq // everything up to here was given to fn
	fn    func([]Stored) error
	batch []Stored
	size  int

	// of the current consumer
	next     uint64 // the number that its next delivery must have
	expected int    // records of pulls that are still to come
	enough   uint64 // deliveries after which it is not needed any more
}

// run follows in one session, until something is wrong with it.
func (f *follower) run(ctx context.Context, sess *session) error {
	if f.store.inboxes == nil {
		return f.read(ctx, sess)
	}
	boxes := &f.store.inboxes[f.store.index(f.p)]
	box := boxes.open()
	defer boxes.close(box)
	for {
		box.restart()
		if err := f.read(ctx, sess); err != nil {
			return err
		}
		if err := f.near(ctx, sess, box); err != nil {
			return err
		}
	}
}

// read reads the log with one consumer, until something is wrong with it. With an
// inbox, it returns nil when everything was read that the log had at the call.
func (f *follower) read(ctx context.Context, sess *session) error {
	create, cancel := context.WithTimeout(ctx, min(readLimit, sess.patience))
	defer cancel()
	consumer, err := sess.js.CreateConsumer(create, streamName(f.p), jetstream.ConsumerConfig{
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       uint64(f.at) + 1,
		AckPolicy:         jetstream.AckNonePolicy,
		MemoryStorage:     true,
		InactiveThreshold: idleConsumer,
	})
	if err != nil {
		return fmt.Errorf("create a consumer: %w", err)
	}
	name := consumer.CachedInfo().Name
	inbox := nats.NewInbox()
	// Room for both pulls and their status messages: it can't overflow.
	msgs := make(chan *nats.Msg, 2*pullRecords+256)
	sub, err := sess.read.ChanSubscribe(inbox, msgs)
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	defer func() {
		// Both fail only with the connection or the server, and end with it.
		_ = sub.Unsubscribe()
		_ = sess.read.Publish("$JS.API.CONSUMER.DELETE."+streamName(f.p)+"."+name, nil)
	}()
	pull := &nats.Msg{Subject: "$JS.API.CONSUMER.MSG.NEXT." + streamName(f.p) + "." + name, Reply: inbox}
	f.next, f.expected = 1, 0
	f.enough = math.MaxUint64
	if f.store.inboxes != nil {
		f.enough = consumer.CachedInfo().NumPending
	}
	return f.loop(ctx, sess, pull, msgs)
}

func (f *follower) loop(ctx context.Context, sess *session, pull *nats.Msg, msgs <-chan *nats.Msg) error {
	limit := silentBeats * sess.beat
	silence := time.NewTimer(limit)
	defer silence.Stop()
	for f.next <= f.enough {
		if f.expected <= pullRecords/2 {
			if err := f.ask(sess, pull); err != nil {
				return err
			}
		}
		select {
		case m := <-msgs:
			silence.Reset(limit)
			if err := f.take(m, msgs); err != nil {
				return err
			}
		case <-silence.C:
			return errors.New("the consumer is silent")
		case <-sess.failed:
			return sess.cause
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (f *follower) ask(sess *session, pull *nats.Msg) error {
	var err error
	pull.Data, err = json.Marshal(struct {
		Expires  time.Duration `json:"expires"`
		Batch    int           `json:"batch"`
		MaxBytes int           `json:"max_bytes"`
		Beat     time.Duration `json:"idle_heartbeat"`
	}{pullExpires, pullRecords, sess.chunk, sess.beat})
	if err != nil {
		return fmt.Errorf("encode a pull: %w", err)
	}
	f.expected += pullRecords
	return sess.read.PublishMsg(pull)
}

// take gives fn the message and what else is at hand.
func (f *follower) take(m *nats.Msg, msgs <-chan *nats.Msg) error {
	err := f.add(m)
	for err == nil && f.size < batchBytes && len(f.batch) < pullRecords {
		select {
		case m = <-msgs:
			err = f.add(m)
			continue
		default:
		}
		break
	}
	if len(f.batch) == 0 {
		return err
	}
	// The records that came before a failure are good.
	batch := f.batch
	f.batch, f.size = nil, 0 // fn may keep it
	if failed := f.give(batch); failed != nil {
		return failed
	}
	return err
}

// give calls fn with the next records.
func (f *follower) give(batch []Stored) error {
	last := batch[len(batch)-1].Seq
	f.store.advance(f.p, last)
	if err := f.fn(batch); err != nil {
		return &stopError{err}
	}
	f.at = last
	return nil
}

// add puts a delivery into the batch, or takes note of a status message.
func (f *follower) add(m *nats.Msg) error {
	if status := m.Header.Get("Status"); status != "" && len(m.Data) == 0 {
		if status == "100" { // a heartbeat
			return nil
		}
		// A pull has ended; what it did not bring, another must.
		left, err := strconv.Atoi(m.Header.Get("Nats-Pending-Messages"))
		if (status != "408" && status != "409") || err != nil {
			return fmt.Errorf("the consumer says %s %s", status, m.Header.Get("Description"))
		}
		f.expected -= left
		return nil
	}
	meta, err := m.Metadata()
	if err != nil {
		return fmt.Errorf("a delivery without its place: %w", err)
	}
	if meta.Sequence.Consumer != f.next {
		return fmt.Errorf("delivery %d came, %d was due", meta.Sequence.Consumer, f.next)
	}
	f.next++
	f.expected--
	if wire.Seq(meta.Sequence.Stream) <= f.at {
		return nil // the copy that it reads was behind when it began
	}
	st, err := store(f.p, wire.Seq(meta.Sequence.Stream), m.Data)
	if err != nil {
		return &stopError{err}
	}
	f.batch, f.size = append(f.batch, st), f.size+len(m.Data)
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
