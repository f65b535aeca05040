package log

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
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
	sess  *session
	p     wire.LogID
	id    dedupID // zero = none
	at    time.Time
	size  int64    // what it holds of the store's budget
	done  chan ack // of one element; the first word counts
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
	}
	c.say(a)
	return true
}

func (c *ackCall) fail(err error) { c.say(ack{err: err}) }

func (c *ackCall) say(a ack) {
	select {
	case c.done <- a:
	default:
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

// send starts one append. Its bytes count against the store's budget until
// wait has returned; ctx bounds the wait for the budget only. id is the one that
// header has, if any.
func (s *Store) send(ctx context.Context, p wire.LogID, subject string, header nats.Header, id dedupID, body []byte) (*ackCall, error) {
	if len(body) > maxRecord {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrTooLarge, len(body), maxRecord)
	}
	sess, err := s.session()
	if err != nil {
		return nil, err
	}
	c := &ackCall{
		store: s, sess: sess, p: p, id: id, at: time.Now(),
		size: int64(len(body) + overhead), done: make(chan ack, 1),
	}
	if err := s.budget.Acquire(ctx, c.size); err != nil {
		return nil, unavailable(err)
	}
	if _, err := sess.acks.ask(subject, header, body, c); err != nil {
		s.budget.Release(c.size)
		return nil, err
	}
	return c, nil
}

// wait waits for the ack of c. When ctx ends first, the outcome is unknown.
func (s *Store) wait(ctx context.Context, c *ackCall) ack {
	defer s.budget.Release(c.size)
	select {
	case a := <-c.done:
		return a
	case <-ctx.Done():
	}
	select {
	case a := <-c.done: // both came at once
		return a
	default:
		return ack{err: unavailable(ctx.Err())}
	}
}
