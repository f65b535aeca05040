package log

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"time"

	"selvedge/wire"
)

// The wall clock may be set while the logs are open, and while they are not. Of
// all that they do, two things depend on it: which frames are too old, which is
// as wrong as the clock is; and how long the engine remembers idempotency ids,
// which is made up for by recent, and across a restart by recall.

// clocks are two clocks of the system, read together.
type clocks struct {
	Wall int64 `json:"wall"` // Unix milliseconds
	Up   int64 `json:"up"`   // milliseconds since the boot, asleep or not; 0 = unknown
}

func readClocks() clocks { return clocks{Wall: time.Now().UnixMilli(), Up: linuxUptime()} }

// linuxUptime is 0 elsewhere.
func linuxUptime() int64 {
	b, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return 0
	}
	var seconds float64
	_, _ = fmt.Sscan(string(b), &seconds) // else it is 0
	return int64(seconds * 1000)
}

// leastStep is what counts as a step. Less may be rounding.
const leastStep = time.Second

// step is how far the wall clock was set forward from one reading to a later one
// of the same boot; negative = back, 0 = not, or unknown.
func step(from, to clocks) time.Duration {
	if from.Up == 0 || to.Up == 0 {
		return 0
	}
	d := time.Duration((to.Wall-from.Wall)-(to.Up-from.Up)) * time.Millisecond
	if d.Abs() < leastStep {
		return 0
	}
	return d
}

// stepped is step since m was written.
func (m *mark) stepped(boot string, now clocks) time.Duration {
	if boot == "" || m.BootID != boot {
		return 0 // a clock that counts from another boot
	}
	return step(m.Clocks, now)
}

const (
	// recalled is how many records of each log are looked at, from its end. What is
	// repeated after a restart is what had no answer when the process ended, or was
	// sent little before.
	recalled      = 8192
	recalledBytes = 64 << 20 // and how many bytes, about
	recallStep    = 256      // records
)

// recall remembers the ids of the last records of each log, where the engine does
// not: the wall clock was set forward by this much before it was started.
func (s *Store) recall(ctx context.Context, sess *session, forward time.Duration) error {
	since := time.Now().Add(-forward - s.cfg.DedupWindow)
	for i := range s.recent {
		p := wire.LogID(i)
		end, size := s.End(p), 0
		for upto := end; upto > 0 && end-upto < recalled && size < recalledBytes; upto = max(upto, recallStep) - recallStep {
			n, err := s.recallSome(ctx, sess, p, upto, since)
			if err != nil {
				return fmt.Errorf("read the end of log %s: %w", logName(p), err)
			}
			if n == 0 {
				break
			}
			size += n
		}
	}
	return nil
}

// recallSome does so with the records of log p up to a position, and returns how
// many bytes those have that were stored since a time.
func (s *Store) recallSome(ctx context.Context, sess *session, p wire.LogID, upto wire.Seq, since time.Time) (size int, err error) {
	for next := max(upto, recallStep) - recallStep + 1; next <= upto; {
		records, err := sess.ask(ctx, streamName(p), getRequest{Seq: next, Batch: int(upto - next + 1), MaxBytes: chunkBytes})
		if errors.Is(err, errNotFound) {
			return size, nil
		}
		if err != nil {
			return size, err
		}
		for _, r := range records {
			at, err := time.Parse(time.RFC3339Nano, r.stored)
			if err != nil {
				return size, unavailable(err)
			}
			if at.Before(since) {
				continue
			}
			size += len(r.data) + overhead
			if id, ok := parseDedupID(r.msgID); ok {
				s.recent[p].add(id, r.seq, time.Now())
			}
		}
		next = records[len(records)-1].seq + 1
	}
	return size, nil
}

// parseDedupID is the inverse of dedupID.String; false = it is none.
func parseDedupID(s string) (id dedupID, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != len(id) {
		return id, false
	}
	return dedupID(b), true
}
