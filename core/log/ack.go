package log

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"selvedge/wire"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The server's error codes that mean something of ours.
// Source: server/errors.json of nats-server.
const (
	codeNotAvailable      = 10008
	codeNotLeader         = 10009
	codeNoResources       = 10023
	codeNoStorage         = 10047
	codeExceedsMaximum    = 10054
	codeWrongLast         = int(jetstream.JSErrCodeStreamWrongLastSequence)
	codeNoReplicas        = 10074
	codeStoreFailed       = 10077
	codeOffline           = 10118
	codeSameInProcess     = 10158 // the first with this idempotency id isn't decided yet
	codeTooMany           = 10167
	codeWrongLastConstant = int(jetstream.JSErrCodeStreamWrongLastSequenceConstant)
)

// ack is the log's word on one append.
type ack struct {
	seq       wire.Seq
	duplicate bool
	err       error
}

// ackCall is an append that waits for its ack.
type ackCall struct {
	store *Store
	p     wire.LogID
	id    dedupID // zero = none
	body  []byte
	state *wire.StateRecord // what body says; nil = it is no state record
	item  int               // the caller's number of it
	ended chan<- *ackCall   // gets this call when it has ended; it never blocks

	// Set by send.
	sess *session
	at   time.Time
	size int64 // what it holds of the store's budget; the sender's

	said atomic.Bool // the first word counts
	got  ack         // set before ended has the call
}

func (c *ackCall) since() time.Time { return c.at }

func (c *ackCall) answer(m *nats.Msg) bool {
	a := parseAck(m)
	switch {
	case errors.Is(a.err, ErrUnavailable):
		c.sess.refused(a.err)
	case a.err == nil:
		c.sess.worked.Store(true)
		c.store.advance(c.p, a.seq) // also when nobody waits any more
		if c.id != (dedupID{}) {
			c.store.recent[c.p].add(c.id, a.seq, time.Now())
			if t := c.sess.telling.Load(); t != nil {
				t.tell(c.p, c.id, a.seq)
			}
		}
		if !a.duplicate && c.store.inboxes != nil {
			c.store.inboxes[c.store.index(c.p)].put(a.seq, c.body, c.state)
		}
	}
	c.say(a)
	return true
}

func (c *ackCall) fail(err error) { c.say(ack{err: err}) }

func (c *ackCall) say(a ack) {
	if c.said.CompareAndSwap(false, true) {
		c.got = a
		c.ended <- c
	}
}

func parseAck(m *nats.Msg) ack {
	if len(m.Data) == 0 {
		return ack{err: unavailable(fmt.Errorf("it answers %q", m.Header.Get("Status")))}
	}
	if bytes.Contains(m.Data, []byte(`"error"`)) {
		return ack{err: ackError(m.Data)}
	}
	// {"stream":"frames-00","seq":12} or {…,"seq":12,"duplicate": true}, by far
	// the most frequent message of all: no reflection here.
	_, rest, _ := bytes.Cut(m.Data, []byte(`"seq":`))
	n := 0
	for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
		n++
	}
	seq, err := strconv.ParseUint(string(rest[:n]), 10, 64)
	if err != nil || seq == 0 {
		return ack{err: unavailable(fmt.Errorf("it answers %q", m.Data))}
	}
	return ack{seq: wire.Seq(seq), duplicate: bytes.Contains(rest, []byte(`"duplicate"`))}
}

func ackError(b []byte) error {
	var a struct {
		Error struct {
			Code        jetstream.ErrorCode `json:"err_code"`
			Description string              `json:"description"`
		} `json:"error"`
	}
	if err := json.Unmarshal(b, &a); err != nil {
		return unavailable(fmt.Errorf("it answers %q", b))
	}
	switch int(a.Error.Code) {
	case codeWrongLast, codeWrongLastConstant:
		return ErrConflict
	case codeExceedsMaximum:
		return ErrTooLarge
	case codeNotAvailable, codeNotLeader, codeNoResources, codeStoreFailed, codeOffline, codeSameInProcess, codeTooMany:
		return unavailable(errors.New(a.Error.Description))
	}
	return fmt.Errorf("the log refused the record: %s", a.Error.Description)
}

// overhead is what an append in flight costs beside its body, about.
const overhead = 512

// send starts the append of c.body, which must not change any more, nor c.state.
// Its bytes count against the store's budget until release; ctx bounds the wait
// for the budget only. header has c.id, if there is one. After an error, c never
// ends, and holds nothing.
func (s *Store) send(ctx context.Context, c *ackCall, subject string, header nats.Header) error {
	if len(c.body) > maxRecord {
		return fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrTooLarge, len(c.body), maxRecord)
	}
	sess, err := s.session()
	if err != nil {
		return err
	}
	size := int64(len(c.body) + overhead)
	if err := s.budget.Acquire(ctx, size); err != nil {
		return unavailable(err)
	}
	c.sess, c.at, c.size = sess, time.Now(), size
	if _, err := sess.acks.ask(subject, header, c.body, c); err != nil {
		s.release(c)
		return err
	}
	return nil
}

// release gives back what a call holds. It is the sender's to call.
func (s *Store) release(c *ackCall) {
	s.budget.Release(c.size)
	c.size = 0
}

// next waits until a call ends, of those that say so to ended. When ctx ends
// first it is nil, and the outcomes of the others are unknown.
func next(ctx context.Context, ended <-chan *ackCall) *ackCall {
	select {
	case c := <-ended:
		return c
	case <-ctx.Done():
	}
	select {
	case c := <-ended: // both came at once
		return c
	default:
		return nil
	}
}
