package log

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"selvedge/wire"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The client of JetStream's direct get, with batches.
// Source: NATS ADR-31, github.com/nats-io/nats-architecture-and-design.

// getRequest asks for records at or after Seq, of one subject or of all.
type getRequest struct {
	Seq      wire.Seq `json:"seq,omitempty"`
	LastFor  string   `json:"last_by_subj,omitempty"` // the last one of a subject, instead of all else
	NextFor  string   `json:"next_by_subj,omitempty"`
	Batch    int      `json:"batch,omitempty"` // 0 = one record, and nothing is counted
	MaxBytes int      `json:"max_bytes,omitempty"`
}

// record is a stored message. The bytes are its own.
type record struct {
	seq    wire.Seq
	data   []byte
	msgID  string // what dedupID.String gave; "" = none
	stored string // when, by the wall clock then, as RFC 3339 has it
	// pending is how many more the request would match after this one; batches only.
	pending uint64
}

// errNotFound: nothing matches the request.
var errNotFound = errors.New("not found")

// readLimit is how long a read may stay without an answer. Some failures of
// the store are silent.
const readLimit = 10 * time.Second

// getCall collects the answers of one request.
type getCall struct {
	batch bool
	at    time.Time
	ends  chan<- *getCall // gets this call when it has ended; it never blocks

	mu      sync.Mutex
	records []record
	ended   bool
	err     error
}

func (c *getCall) since() time.Time { return c.at }

func (c *getCall) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endLocked(err)
}

func (c *getCall) endLocked(err error) {
	if !c.ended {
		c.ended, c.err = true, err
		c.ends <- c
	}
}

func (c *getCall) answer(m *nats.Msg) (last bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return true
	}
	switch status := m.Header.Get("Status"); status {
	case "":
	case "204": // end of the batch
		c.endLocked(nil)
		return true
	case "404":
		c.endLocked(errNotFound)
		return true
	default:
		c.endLocked(unavailable(fmt.Errorf("it answers %s %s", status, m.Header.Get("Description"))))
		return true
	}
	seq, err := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
	if err != nil {
		c.endLocked(unavailable(errors.New("it sent a record without a position")))
		return true
	}
	r := record{seq: wire.Seq(seq), data: m.Data, msgID: m.Header.Get(jetstream.MsgIDHeader), stored: m.Header.Get("Nats-Time-Stamp")}
	if c.batch {
		// Absent or odd is zero: no more than what the batch brings.
		r.pending, _ = strconv.ParseUint(m.Header.Get("Nats-Num-Pending"), 10, 64)
	} else {
		defer c.endLocked(nil)
	}
	c.records = append(c.records, r)
	return !c.batch
}

// readers is how many gets are under way at most; others wait. Times
// chunkBytes, it stays well below maxPending.
const readers = 64

// get asks log p. It returns one record at least, or errNotFound, or
// ErrUnavailable.
//
// Any copy of a replicated log answers, and one that is behind lacks the end, but
// nothing in between. So what it has is right, and where it has nothing, the
// leader is asked. Who wants the end therefore reads until errNotFound.
func (s *Store) get(ctx context.Context, p wire.LogID, req getRequest) ([]record, error) {
	if err := s.reads.Acquire(ctx, 1); err != nil {
		return nil, unavailable(err)
	}
	defer s.reads.Release(1)
	sess, err := s.session()
	if err != nil {
		return nil, err
	}
	records, err := sess.ask(ctx, streamName(p), req)
	if errors.Is(err, errNotFound) && sess.replicated() {
		var r record
		if r, err = sess.askLeader(ctx, streamName(p), req); err == nil {
			records = []record{r}
		}
	}
	return records, err
}

// count is how many records have come.
func (c *getCall) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.records)
}
