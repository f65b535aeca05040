package directory

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	corelog "selvedge/core/log"
	"selvedge/wire"
)

// Log is the part of the state log that a Writer needs.
type Log interface {
	// AppendState appends records in order, each if it is expected: see core/log.
	AppendState(ctx context.Context, appends []corelog.StateAppend) []corelog.StateResult
}

// Writer writes state records. A call returns when the log has what it wrote and
// View has applied it; after an error that is not one of this package's, parts
// of it may be written: repeating the call is harmless. Safe for concurrent use,
// beside other writers of the same log.
type Writer struct {
	View *View
	Log  Log
	// End is the last position of a log, StateLog included.
	End func(wire.LogID) wire.Seq
	// Latest is End as all cores together know it; End is at least that afterwards.
	// Nil = this core is the only one.
	Latest func(context.Context, wire.LogID) (wire.Seq, error)
	// Logs is the number of frame logs.
	Logs int
}

const (
	// chunk is how many keys are read and appended at once.
	chunk = 2048
	// rounds is how often a key that others write at the same time is tried.
	// Someone succeeds in each round.
	rounds = 100
	// pause is the longest wait before a round, but for the view. All rounds
	// together outlast the moment in which a core looks for the log's next leader.
	pause = 200 * time.Millisecond
)

// planFunc looks at the state of item i and says what to append; nil = nothing
// is to be done. It may be called again for the same item, when another writer
// was faster, and must then forget what it said before.
type planFunc func(r *Reader, i int) (*corelog.StateAppend, error)

// outcome is what became of one item of a write.
type outcome struct {
	seq wire.Seq // of the record appended, 0 = none
	err error
}

// write carries out the plans for items 0..n-1, whose keys must differ, and
// waits until the view has applied them. Items fail one by one; the error is
// for what concerns all, and outcomes are then incomplete.
func (w *Writer) write(ctx context.Context, n int, plan planFunc) ([]outcome, error) {
	if err := w.fresh(ctx); err != nil {
		return nil, err
	}
	outcomes := make([]outcome, n)
	var last wire.Seq
	for start := 0; start < n; start += chunk {
		items := make([]int, 0, chunk)
		for i := start; i < min(n, start+chunk); i++ {
			items = append(items, i)
		}
		seq, err := w.writeChunk(ctx, items, plan, outcomes)
		last = max(last, seq)
		if err != nil {
			if start == 0 && last == 0 {
				return nil, err
			}
			// Something is written. What was not tried fails like what was.
			for i := start; i < n; i++ {
				if o := outcomes[i]; o.seq == 0 && o.err == nil {
					outcomes[i].err = err
				}
			}
			break
		}
	}
	return outcomes, w.View.WaitApplied(ctx, last)
}

// fresh waits until the view has what any core has written before. Else a call
// that follows another one's at another core might find nothing to do: a leave
// before the join is known here. An append's condition does not see that.
func (w *Writer) fresh(ctx context.Context) error {
	if w.Latest == nil {
		return nil
	}
	at, err := w.Latest(ctx, wire.StateLog)
	if err != nil {
		return fmt.Errorf("find the end of the state log: %w", err)
	}
	return w.View.WaitApplied(ctx, at)
}

// freshEnds makes End know of frames that other cores have taken, for rooms.
func (w *Writer) freshEnds(ctx context.Context, members []member) error {
	if w.Latest == nil {
		return nil
	}
	asked := make(map[wire.LogID]struct{})
	for _, m := range members {
		p := wire.LogOf(wire.RoomChannel(m.room), w.Logs)
		if _, ok := asked[p]; ok {
			continue
		}
		asked[p] = struct{}{}
		if _, err := w.Latest(ctx, p); err != nil {
			return fmt.Errorf("find the end of log %d: %w", p, err)
		}
	}
	return nil
}

// writeChunk writes items and returns the last position appended. An error means
// that the log can't be written now.
func (w *Writer) writeChunk(ctx context.Context, items []int, plan planFunc, outcomes []outcome) (last wire.Seq, err error) {
	for round := range rounds {
		appends, planned, err := w.plan(items, plan, outcomes)
		if err != nil {
			return last, err
		}
		if len(appends) == 0 {
			return last, nil
		}
		items = items[:0]
		var failed error
		for k, result := range w.Log.AppendState(ctx, appends) {
			i := planned[k]
			switch {
			case result.Err == nil:
				outcomes[i] = outcome{seq: result.Seq}
				last = max(last, result.Seq)
			case errors.Is(result.Err, corelog.ErrConflict):
				items = append(items, i)
			default:
				outcomes[i] = outcome{err: result.Err}
				if errors.Is(result.Err, corelog.ErrUnavailable) || ctx.Err() != nil {
					failed = result.Err
				}
			}
		}
		if failed != nil || len(items) == 0 {
			return last, failed
		}
		if err := w.catchUp(ctx, round); err != nil {
			return last, err
		}
	}
	for _, i := range items {
		outcomes[i] = outcome{err: ErrContended}
	}
	return last, nil
}

// plan asks what to append for items. planned[k] is the item of appends[k].
func (w *Writer) plan(items []int, plan planFunc, outcomes []outcome) (appends []corelog.StateAppend, planned []int, err error) {
	err = w.View.Read(func(r *Reader) error {
		for _, i := range items {
			next, err := plan(r, i)
			switch {
			case err != nil:
				outcomes[i] = outcome{err: err}
			case next != nil:
				appends, planned = append(appends, *next), append(planned, i)
			}
		}
		return nil
	})
	return appends, planned, err
}

// catchUp waits until the view may show what was faster. Another core's record
// may not be known to this one yet, hence the pause: random, so that two don't
// meet again.
func (w *Writer) catchUp(ctx context.Context, round int) error {
	if err := w.View.WaitApplied(ctx, w.End(wire.StateLog)); err != nil {
		return err
	}
	if round == 0 {
		return nil
	}
	timer := time.NewTimer(rand.N(min(pause, time.Millisecond<<min(round, 10))))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for another writer: %w", ctx.Err())
	}
}
