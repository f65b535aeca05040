package log

import (
	"context"
	"fmt"
	"strconv"

	"selvedge/wire"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// StateAppend is one record for the state log, and the position of its key's
// last record there (0 = none yet), without which it is not appended.
type StateAppend struct {
	Record wire.StateRecord
	Expect wire.Seq
}

// StateResult is what became of a StateAppend: its position, or an error:
// ErrConflict, ErrTooLarge, ErrUnavailable (outcome unknown), or what
// StateRecord.Check finds.
type StateResult struct {
	Seq wire.Seq
	Err error
}

// stateInFlight bounds the appends that one call has on the way.
const stateInFlight = 512

// AppendState appends records in order, many on the way at a time, and returns
// a result for each when the log has all. One's failure does not stop the
// others; the records' V is ignored. Safe for concurrent use.
func (s *Store) AppendState(ctx context.Context, items []StateAppend) []StateResult {
	results := make([]StateResult, len(items))
	calls := make([]*ackCall, len(items))
	collect := func(i int) {
		if calls[i] != nil {
			a := s.wait(ctx, calls[i])
			results[i] = StateResult{Seq: a.seq, Err: a.err}
			calls[i] = nil
		}
	}
	for i := range items {
		if i >= stateInFlight {
			collect(i - stateInFlight)
		}
		calls[i], results[i].Err = s.sendState(ctx, &items[i])
	}
	for i := max(0, len(items)-stateInFlight); i < len(items); i++ {
		collect(i)
	}
	return results
}

func (s *Store) sendState(ctx context.Context, item *StateAppend) (*ackCall, error) {
	r := item.Record
	r.V = 0 // the log gives it
	if err := r.Check(); err != nil {
		return nil, err
	}
	body, err := wire.Msgpack.Append(nil, &r)
	if err != nil {
		return nil, fmt.Errorf("state record %s: %w", r.Key(), err)
	}
	header := nats.Header{jetstream.ExpectedLastSubjSeqHeader: {strconv.FormatUint(uint64(item.Expect), 10)}}
	return s.send(ctx, wire.StateLog, stateSubject(&r), header, dedupID{}, body)
}
