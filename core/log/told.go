package log

import (
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"selvedge/wire"

	"github.com/nats-io/nats.go"
)

// Several cores tell each other the idempotency ids of what was appended, so that
// each remembers them by its own monotonic clock (see recent): the engine goes by
// the wall clock of whoever leads a log, and forgets when that is set forward, or
// when another leads whose clock is ahead. What is told may be lost with a link or
// a core; then it is up to the engine, as it is for the moment until it is told.

const (
	// idSubject is where it is told; nothing keeps it.
	idSubject = "selvedge.ids"
	// tellAfter is how long ids are collected, and tellBytes how many bytes of them
	// at most.
	tellAfter = 20 * time.Millisecond
	tellBytes = 32 << 10

	epochBytes = 10
	toldHead   = epochBytes
	toldEach   = 2 + len(dedupID{}) + 8 // log, id, position
)

// telling collects what one session has to tell. Safe for concurrent use.
type telling struct {
	nc    *nats.Conn // fixed
	epoch string     // fixed

	mu  sync.Mutex
	buf []byte // guarded by mu; nil = nothing is collected
}

// tell says that the post with an id is at a position.
func (t *telling) tell(p wire.LogID, id dedupID, seq wire.Seq) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.buf == nil {
		t.buf = append(make([]byte, 0, toldHead+64*toldEach), t.epoch...)
		time.AfterFunc(tellAfter, t.flush)
	}
	t.buf = appendTold(t.buf, p, id, seq)
	if len(t.buf) >= tellBytes {
		t.sendLocked()
	}
}

func (t *telling) flush() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.buf != nil { // else it was sent for its size
		t.sendLocked()
	}
}

func (t *telling) sendLocked() {
	_ = t.nc.Publish(idSubject, t.buf) // it fails with the session
	t.buf = nil
}

func appendTold(b []byte, p wire.LogID, id dedupID, seq wire.Seq) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(p))
	b = append(b, id[:]...)
	return binary.BigEndian.AppendUint64(b, uint64(seq))
}

// eachTold calls fn with what was told of logs in an epoch. What is malformed is
// told by nobody of ours.
func eachTold(b []byte, epoch string, logs int, fn func(p wire.LogID, id dedupID, seq wire.Seq)) {
	if len(b) < toldHead || string(b[:epochBytes]) != epoch {
		return
	}
	for b = b[toldHead:]; len(b) >= toldEach; b = b[toldEach:] {
		p, seq := binary.BigEndian.Uint16(b), binary.BigEndian.Uint64(b[toldEach-8:])
		if int(p) < logs && seq > 0 {
			fn(wire.LogID(p), dedupID(b[2:2+len(dedupID{})]), wire.Seq(seq))
		}
	}
}

// share begins to tell and to hear, if there are others.
func (s *Store) share(sess *session) error {
	if !sess.replicated() {
		return nil
	}
	if err := s.shareIDs(sess); err != nil {
		return err
	}
	return s.hearSignals(sess)
}

func (s *Store) shareIDs(sess *session) error {
	epoch := s.epoch
	sess.telling.Store(&telling{nc: sess.read, epoch: epoch})
	_, err := sess.read.Subscribe(idSubject, func(m *nats.Msg) {
		now := time.Now()
		eachTold(m.Data, epoch, len(s.recent), func(p wire.LogID, id dedupID, seq wire.Seq) {
			s.recent[p].add(id, seq, now)
		})
	})
	if err != nil {
		return fmt.Errorf("connect to the log: %w", err)
	}
	return nil
}
