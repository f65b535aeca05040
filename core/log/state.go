package log

import (
	"context"
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
	if s.inboxes != nil {
		defer s.inboxes[s.index(wire.StateLog)].begin(len(items))()
	}
	w := stateAppends{
		store: s, results: make([]StateResult, len(items)), calls: make([]ackCall, len(items)), ended: make(chan *ackCall, len(items)),
		header: nats.Header{jetstream.ExpectedLastSubjSeqHeader: {""}},
	}
	for i := range items {
		if w.flying == stateInFlight {
			w.collect(ctx)
		}
		w.results[i].Err = w.send(ctx, i, &items[i])
	}
	for w.flying > 0 {
		w.collect(ctx)
	}
	return w.results
}

// stateAppends is one AppendState. It is used by one goroutine.
type stateAppends struct {
	store   *Store
	results []StateResult
	calls   []ackCall     // by item
	ended   chan *ackCall // of as many elements as there are calls
	flying  int           // calls that have not been collected
	header  nats.Header   // of the item at hand
	subject []byte        // scratch
}

func (w *stateAppends) send(ctx context.Context, i int, item *StateAppend) error {
	r := item.Record
	r.V = 0 // the log gives it
	if err := r.Check(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return unavailable(err)
	}
	c := &w.calls[i]
	c.store, c.p, c.item, c.ended = w.store, wire.StateLog, i, w.ended
	c.body = wire.AppendStateRecord(nil, &r)
	if w.store.inboxes != nil {
		r.Data = append(wire.Data(nil), r.Data...) // the caller's may change
		c.state = &r
	}
	w.header[jetstream.ExpectedLastSubjSeqHeader][0] = strconv.FormatUint(uint64(item.Expect), 10)
	w.subject = appendStateSubject(w.subject[:0], &r)
	if err := w.store.send(ctx, c, string(w.subject), w.header); err != nil {
		return err
	}
	w.flying++
	return nil
}

// collect takes in the result of one call that ends, or of all when ctx ends
// first.
func (w *stateAppends) collect(ctx context.Context) {
	if c := next(ctx, w.ended); c != nil {
		w.results[c.item] = StateResult{Seq: c.got.seq, Err: c.got.err}
		w.store.release(c)
		w.flying--
		return
	}
	for i := range w.calls {
		if c := &w.calls[i]; c.size > 0 {
			w.results[i].Err = unavailable(ctx.Err())
			w.store.release(c)
		}
	}
	w.flying = 0
}
