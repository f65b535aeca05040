package log

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"selvedge/internal/bug"
	"selvedge/wire"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/sync/errgroup"
)

// A log that has lost its tail and has grown again past what was shown ends where
// it should, and has other records there: a copy of the folder was put back, or
// of an external NATS, or two of three cores lost what they had in a way that
// nobody noticed. So the mark has proofs of what was shown: sums of records at
// positions. Where another record is found, the epoch changes. A record that is
// gone proves nothing, so there are several: the state log lets go what is
// superseded.
//
// A core of a cluster does not start then: its own copy has the records that the
// others' has not, and the embedded server would leave it at that. What comes from
// the leader at positions that a copy has, it takes for what it has. Readers would
// find two truths under the same numbers.

// proof is what a log has at a position.
type proof struct {
	Seq wire.Seq `json:"seq"`
	Sum string   `json:"sum"`
}

const (
	// proofsKept is how many of each log are kept, the newest last.
	proofsKept = 4
	// proveLimit bounds what it takes to read the ends of all logs.
	proveLimit = time.Second
)

// sum is of what a record says, and of when it was stored, in nanoseconds: two
// that say the same are told apart. All copies have the same time.
func (r *record) sum() (string, error) {
	at, err := time.Parse(time.RFC3339Nano, r.stored)
	if err != nil {
		return "", unavailable(fmt.Errorf("it sent a record without its time: %w", err))
	}
	h := xxhash.New()
	// A hash takes everything.
	_, _ = h.Write(r.data)
	_, _ = h.Write(binary.BigEndian.AppendUint64(nil, uint64(at.UnixNano())))
	return fmt.Sprintf("%016x", h.Sum64()), nil
}

// prove notes what the logs have at their ends now. What can't be read at once is
// left for the next time.
func (s *Store) prove(ctx context.Context, sess *session) {
	ctx, cancel := context.WithTimeout(ctx, proveLimit)
	defer cancel()
	found := make([]proof, len(s.ends)) // zero = nothing new
	var asking errgroup.Group
	asking.SetLimit(atOnce)
	for i := range s.ends {
		p, end := s.logAt(i), wire.Seq(s.ends[i].Load())
		had := s.proofs[logName(p)]
		if end == 0 || len(had) > 0 && had[len(had)-1].Seq >= end {
			continue
		}
		asking.Go(func() error {
			records, err := sess.ask(ctx, streamName(p), getRequest{Seq: end})
			if err != nil {
				return nil // it does not answer, or the copy is behind
			}
			if sum, err := records[0].sum(); err == nil {
				found[i] = proof{end, sum}
			}
			return nil
		})
	}
	_ = asking.Wait() // none of them fails
	for i, f := range found {
		if f.Seq == 0 {
			continue
		}
		name := logName(s.logAt(i))
		had := s.proofs[name]
		s.proofs[name] = append(had[max(0, len(had)+1-proofsKept):len(had):len(had)], f)
	}
}

// disproved says which log has another record where m has seen one, "" = none.
func (s *Store) disproved(ctx context.Context, sess *session, proofs map[string][]proof) (string, error) {
	if bug.On(bug.SameEpoch) {
		return "", nil
	}
	for i := range s.cfg.Logs + 1 {
		p := s.logAt(i)
		for _, was := range slices.Backward(proofs[logName(p)]) {
			now, err := sess.truth(ctx, p, was.Seq)
			if errors.Is(err, errNotFound) {
				continue
			}
			if err != nil {
				return "", fmt.Errorf("read log %s at %d: %w", logName(p), was.Seq, err)
			}
			sum, err := now.sum()
			if err != nil {
				return "", err
			}
			if sum != was.Sum {
				return fmt.Sprintf("log %s has another record at %d than the one that was shown", logName(p), was.Seq), nil
			}
			break // what lies before it is the same, too
		}
	}
	return "", nil
}

// truth is the record of a log at a position, as its leader has it.
func (sess *session) truth(ctx context.Context, p wire.LogID, seq wire.Seq) (record, error) {
	req := getRequest{Seq: seq}
	if sess.replicated() {
		return sess.askLeader(ctx, streamName(p), req)
	}
	records, err := sess.ask(ctx, streamName(p), req)
	if err != nil {
		return record{}, err
	}
	return records[0], nil
}

// logAt is the reverse of index.
func (s *Store) logAt(i int) wire.LogID {
	if i == s.cfg.Logs {
		return wire.StateLog
	}
	return wire.LogID(i)
}

func equalProofs(a, b map[string][]proof) bool {
	return maps.EqualFunc(a, b, slices.Equal[[]proof])
}
