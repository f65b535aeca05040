package link

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"selvedge/wire"
	"selvedge/wire/tail"
)

const (
	// batchRecords and batchBytes bound what one turn of a feed collects into
	// one stream write, give or take one record: the feed's whole memory.
	batchRecords = 512
	batchBytes   = 256 << 10
	// maxDeltas bounds the interest deltas that wait for a busy feed.
	maxDeltas = 16
	// maxFeeds bounds the feeds of one link, per log: a log may be opened again
	// before the last bytes of its stream were read.
	maxFeeds = 4
	// readRetry paces reads of the log that failed.
	readRetry = 250 * time.Millisecond
	// behindWait is how long a log may take to reach the position that it is
	// opened after: another replica of it may be a moment ahead.
	behindWait = time.Second
)

// delta is one change of a feed's interests.
type delta struct {
	id       uint64
	add, del []wire.Key
	since    wire.Seq
	marker   bool // answer with a marker

	// Guarded by feed.mu.
	held bool     // the source has the additions
	from wire.Seq // after this position, if held
}

// feed serves one log to one downstream. One goroutine runs it.
type feed struct {
	src    Source
	p      wire.LogID
	n      uint64 // of the link's streams of this log
	out    io.Writer
	region string // of the downstream
	events *ServerEvents
	others *company // the link's other feeds

	stop context.CancelFunc // ends run
	gone chan struct{}      // closed when run has returned

	changed chan struct{} // capacity 1: deltas is not empty, or one of them is held now
	mu      sync.Mutex
	deltas  []*delta // guarded by mu
	ended   bool     // guarded by mu: what is held was given back
	// Guarded by mu. The last delta applied and the position it was applied
	// at; waiters are told of each change by a close of applied.
	doneID   uint64
	doneSeq  wire.Seq
	applied  chan struct{}
	interest map[wire.Key]struct{} // written by the feed's goroutine under mu

	tail *tail.Tail      // fixed by begin; nil = the source does not have the log
	over <-chan struct{} // the same

	// Owned by the feed's goroutine.
	follower *tail.Follower
	batch    []tail.Record
	buf      []byte
	pressing bool      // buf holds more than watermarks
	water    time.Time // when the first watermark in buf was taken, if it is not pressing
}

func newFeed(src Source, p wire.LogID, n uint64, out io.Writer, region string, events *ServerEvents, others *company) *feed {
	return &feed{
		src: src, p: p, n: n, out: out, region: region, events: events, others: others, gone: make(chan struct{}),
		changed: make(chan struct{}, 1), applied: make(chan struct{}),
		interest: map[wire.Key]struct{}{},
	}
}

// begin has the source open the log. It comes before everything else.
func (f *feed) begin() {
	f.tail, f.over = f.src.Tail(f.p), f.src.Over(f.p)
	if f.tail != f.src.Tail(f.p) {
		f.tail = nil // it was over in between
	}
}

// change queues a delta. A downstream waits for each delta's marker before it
// sends the next for the same log (Link does), so more than a few pending ones
// mean that the peer does not keep to that: an error.
func (f *feed) change(d *delta) error {
	f.mu.Lock()
	if f.ended {
		f.mu.Unlock()
		return nil // the downstream has yet to learn of it
	}
	if len(f.deltas) >= maxDeltas {
		f.mu.Unlock()
		return fmt.Errorf("%w: %d interest deltas pending on log %d", ErrProtocol, maxDeltas, f.p)
	}
	f.deltas = append(f.deltas, d)
	f.mu.Unlock()
	f.src.Hold(f.p, f.tail, d.add, d.since, func(from wire.Seq) {
		f.mu.Lock()
		d.held, d.from = true, from
		f.mu.Unlock()
		f.wake()
	})
	return nil
}

func (f *feed) wake() {
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

// end gives back what is held.
func (f *feed) end() {
	f.mu.Lock()
	f.ended = true
	keys := make([]wire.Key, 0, len(f.interest))
	for k := range f.interest {
		keys = append(keys, k)
	}
	for _, d := range f.deltas {
		keys = append(keys, d.add...)
	}
	f.deltas = nil
	f.mu.Unlock()
	f.src.Release(f.p, f.tail, keys)
	close(f.gone)
}

// wants reports whether the downstream holds an interest now.
func (f *feed) wants(k wire.Key) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.interest[k]
	return ok
}

func (f *feed) interests() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.interest)
}

// waitApplied returns the position at which delta id was applied; ErrLogClosed if
// the feed ends before.
func (f *feed) waitApplied(ctx context.Context, id uint64) (wire.Seq, error) {
	for {
		f.mu.Lock()
		done, seq, ch := f.doneID, f.doneSeq, f.applied
		f.mu.Unlock()
		if done >= id {
			return seq, nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-f.gone:
			return 0, ErrLogClosed
		case <-ch:
		}
	}
}

// run serves until ctx ends or the stream fails. It returns nil if the log ends
// before the position asked for, or the source does not have it, and has said so.
func (f *feed) run(ctx context.Context, after wire.Seq) error {
	defer f.end()
	if _, err := f.out.Write(binary.AppendUvarint(binary.AppendUvarint(nil, uint64(f.p)), f.n)); err != nil {
		return fmt.Errorf("open log %d: %w", f.p, err)
	}
	if f.tail == nil {
		return f.elsewhere()
	}
	from, err := f.first(ctx)
	switch {
	case errors.Is(err, ErrElsewhere) || err == nil && from > after:
		return f.elsewhere()
	case err != nil:
		return err
	case after == Live:
		after = max(from, f.tail.End())
	}
	f.follower = f.tail.Follow(after)
	defer f.follower.Stop()
	if reached, err := f.reaches(ctx, after); err != nil {
		return err
	} else if !reached {
		_, err := f.out.Write(appendBehind(nil, f.tail.End()))
		return err
	}
	for ctx.Err() == nil {
		if f.late(watermarkAge) {
			f.sent() // it says nothing of the present any more
		}
		f.applyDeltas()
		idle, err := f.collect(ctx)
		if err != nil && !errors.Is(err, ErrElsewhere) {
			return err
		}
		waited, sendErr := f.send(ctx, idle, err != nil)
		if sendErr != nil {
			return fmt.Errorf("feed log %d: %w", f.p, sendErr)
		}
		if err != nil {
			return f.elsewhere()
		}
		if waited || !idle {
			continue
		}
		select {
		case <-ctx.Done():
		case <-f.over:
			return f.elsewhere()
		case <-f.changed:
		case <-f.follower.C():
		}
	}
	return ctx.Err()
}

// late reports whether nothing but watermarks is collected, for longer than that.
func (f *feed) late(than time.Duration) bool {
	return len(f.buf) > 0 && !f.pressing && time.Since(f.water) > than
}

// send writes what is collected. Nothing but watermarks waits until there is nothing more
// at hand (idle) and then for those of other logs, unless it is the last, and stays
// collected if something comes that it can go with. If it has waited, what came meanwhile
// is to be looked for.
func (f *feed) send(ctx context.Context, idle, last bool) (waited bool, err error) {
	if len(f.buf) == 0 {
		return false, nil
	}
	if f.pressing || last || f.late(f.others.wait) {
		return false, f.write()
	}
	if !idle {
		return false, nil
	}
	turn, more := f.others.join(f.out, f.buf, f.water), false
	select {
	case <-turn.done:
	case <-f.changed:
		more = true
	case <-f.follower.C():
		more = true
	case <-f.over:
	case <-ctx.Done():
	}
	switch withdrawn := f.others.withdraw(turn); {
	case withdrawn && more:
		return true, nil
	case withdrawn:
		return true, f.write()
	}
	<-turn.done
	f.sent()
	return true, turn.err
}

func (f *feed) write() error {
	_, err := f.out.Write(f.buf)
	f.sent()
	return err
}

// sent empties what is collected.
func (f *feed) sent() {
	f.buf, f.pressing = f.buf[:0], false
	if cap(f.buf) > 4*batchBytes {
		f.buf = nil // a giant record; don't keep its room
	}
}

// elsewhere sends the downstream away.
func (f *feed) elsewhere() error {
	var pos wire.Seq
	if f.follower != nil {
		pos = f.follower.Pos()
	}
	_, err := f.out.Write(appendElsewhere(nil, pos))
	return err
}

// first waits until the source has the interests that the log was opened with, and
// returns from where on.
func (f *feed) first(ctx context.Context) (wire.Seq, error) {
	for {
		f.mu.Lock()
		if len(f.deltas) > 0 && f.deltas[0].held {
			from := f.deltas[0].from
			f.mu.Unlock()
			f.wake() // there may be more
			return from, nil
		}
		f.mu.Unlock()
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-f.over:
			return 0, ErrElsewhere
		case <-f.changed:
		}
	}
}

// reaches waits a moment for the log to reach a position.
func (f *feed) reaches(ctx context.Context, pos wire.Seq) (bool, error) {
	if f.tail.End() >= pos {
		return true, nil
	}
	t := time.NewTimer(behindWait)
	defer t.Stop()
	for f.tail.End() < pos {
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-t.C:
			return false, nil
		case <-f.follower.C():
		}
	}
	return true, nil
}

// dueLocked takes those pending deltas out that can hold from a position on: in
// order, so that their markers come in order.
func (f *feed) dueLocked(pos wire.Seq) []*delta {
	n := 0
	for n < len(f.deltas) && f.deltas[n].held && f.deltas[n].from <= pos {
		n++
	}
	due := f.deltas[:n:n]
	f.deltas = f.deltas[n:]
	return due
}

// applyDeltas makes pending deltas hold from the present position on, and says
// so by markers.
func (f *feed) applyDeltas() {
	f.mu.Lock()
	pos := f.follower.Pos()
	deltas := f.dueLocked(pos)
	if len(deltas) == 0 {
		f.mu.Unlock()
		return
	}
	var spare []wire.Key // held more than once, or no longer
	for _, d := range deltas {
		for _, k := range d.del {
			if f.has([2]wire.Key{k}) {
				delete(f.interest, k)
				spare = append(spare, k)
			}
		}
		for _, k := range d.add {
			if f.has([2]wire.Key{k}) {
				spare = append(spare, k)
			}
			f.interest[k] = struct{}{}
		}
		f.doneID, f.doneSeq = max(f.doneID, d.id), pos
	}
	close(f.applied)
	f.applied = make(chan struct{})
	f.mu.Unlock()
	f.src.Release(f.p, f.tail, spare)
	for _, d := range deltas {
		if d.marker {
			m := Marker{ID: d.id, Seq: pos}
			if d.since < pos {
				m.Moved = f.src.Moved(nil, f.p, d.add, d.since)
			}
			f.buf, f.pressing = appendMarker(f.buf, m), true
		}
	}
}

// collect appends to buf what the downstream wants of the next records. idle
// says that there is nothing more at hand.
func (f *feed) collect(ctx context.Context) (idle bool, err error) {
	f.batch, err = f.follower.Read(f.batch[:0], batchRecords, batchBytes)
	if errors.Is(err, tail.ErrFellBehind) {
		return false, f.catchUp(ctx)
	}
	f.appendWanted(f.batch)
	n := len(f.batch)
	clear(f.batch)
	return n == 0, nil
}

// catchUp reads one batch from the log itself (rule 13).
func (f *feed) catchUp(ctx context.Context) error {
	pos := f.follower.Pos()
	records, upto, floor, err := f.src.Read(ctx, f.p, pos, f.has)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, ErrElsewhere) {
			return err
		}
		f.events.ReadFailed(f.p, err)
		t := time.NewTimer(readRetry)
		defer t.Stop()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
			return nil
		}
	}
	if floor > pos {
		f.buf, f.pressing = appendGap(f.buf, floor, f.src.Lost(nil, f.p, f.interest, pos, floor)), true
	}
	f.appendWanted(records)
	f.follower.Seek(max(upto, floor))
	return nil
}

func (f *feed) appendWanted(records []tail.Record) {
	for i := range records {
		r := &records[i]
		if r.Kind == tail.Watermark && r.Age() > watermarkAge || r.Kind != tail.Watermark && !f.has(r.Keys) {
			continue
		}
		if len(f.buf) == 0 {
			f.water = time.Now()
		}
		f.buf = appendRecord(f.buf, r.Kind, r.Bytes)
		f.pressing = f.pressing || r.Kind != tail.Watermark
		f.events.Sent(f.region, r.Kind, len(r.Bytes))
	}
}

// watermarkAge is how old a watermark may be that is sent: an edge takes it for the
// present when it comes. One that the tail has still had when the log was opened, or
// that waited for a slow link, is left out. The next comes within a second, unless
// nobody knows any more where the log ends.
const watermarkAge = time.Second

// has is wants without the lock: only the feed's goroutine writes interest.
func (f *feed) has(keys [2]wire.Key) bool {
	for _, k := range keys {
		if k == 0 {
			continue
		}
		if _, ok := f.interest[k]; ok {
			return true
		}
	}
	return false
}
