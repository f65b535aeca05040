package tail

import (
	"errors"
	"sort"
	"sync"
	"time"

	"selvedge/wire"
)

// Kind says what a record holds.
type Kind uint8

// The kinds of records. Their numbers are the link's.
const (
	Frame     Kind = 1 // Bytes: the frame as clients receive it
	State     Kind = 2 // Bytes: a wire.StateRecord in msgpack
	Watermark Kind = 3 // Bytes: the core's clock; everybody gets it
	// passed says that the log was read up to Seq; nobody gets it.
	passed Kind = 0
)

// Record is one entry of a log as readers receive it. It is immutable.
type Record struct {
	Seq   wire.Seq
	Kind  Kind
	Keys  [2]wire.Key // whose interest it meets; zero = unused
	Bytes []byte

	came time.Duration // of a watermark, when it was appended: see Age
}

var began = time.Now() // a monotonic zero

// Age is how long ago a watermark was appended, whatever the clock says that is
// set.
func (r *Record) Age() time.Duration { return time.Since(began) - r.came }

// overhead is what a record costs beside its bytes, in bytes.
const overhead = 72

// Tail is the recent end of one log. It is safe for concurrent use.
type Tail struct {
	budget int // bytes that may be held

	mu sync.Mutex
	// Guarded by mu. records[head:] are held, ascending by Seq; a watermark
	// has the Seq of the record before it. Everything in (base, end] that this
	// log has is held.
	records   []Record
	head      int
	dropped   uint64 // records that were moved out of the slice since the tail was made
	bytes     int
	base, end wire.Seq
	followers map[*Follower]struct{}
}

// New is the tail of a log whose records after at will be appended. It holds
// at most budget bytes, and always the last record.
func New(budget int, at wire.Seq) *Tail {
	return &Tail{budget: budget, base: at, end: at, followers: map[*Follower]struct{}{}}
}

// Append adds records, ascending by Seq, and wakes the followers. A record
// that the tail already has is skipped, so that a source may repeat itself
// after a fault; watermarks never are.
func (t *Tail) Append(records ...Record) {
	t.mu.Lock()
	for _, r := range records {
		if r.Kind != Watermark && r.Seq <= t.end {
			continue
		}
		// A watermark that was stamped before the last record stands after it all
		// the same: a search by position needs the order.
		r.Seq = max(r.Seq, t.end)
		if r.Kind == Watermark {
			r.came = time.Since(began)
		}
		t.end = r.Seq
		t.records = append(t.records, r)
		t.bytes += len(r.Bytes) + overhead
	}
	t.trimLocked()
	for f := range t.followers {
		f.wake()
	}
	t.mu.Unlock()
}

// Advance takes note that the log has nothing more for this tail up to a position.
func (t *Tail) Advance(to wire.Seq) { t.Append(Record{Seq: to, Kind: passed}) }

// Select appends to dst the records of a key in (after, upto], and says whether the
// tail holds that part of the log: else nothing is appended.
func (t *Tail) Select(dst []Record, k wire.Key, after, upto wire.Seq) (_ []Record, whole bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if after < t.base || upto > t.end {
		return dst, false
	}
	for i := t.searchLocked(after + 1); i < len(t.records) && t.records[i].Seq <= upto; i++ {
		if r := &t.records[i]; r.Keys[0] == k || r.Keys[1] == k {
			dst = append(dst, *r)
		}
	}
	return dst, true
}

// Reset empties the tail: the log's records after at follow. It is for a log
// with a hole, or with another epoch.
func (t *Tail) Reset(at wire.Seq) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dropped += uint64(len(t.records))
	clear(t.records)
	t.records, t.head, t.bytes, t.base, t.end = t.records[:0], 0, 0, at, at
	for f := range t.followers {
		f.wake()
	}
}

func (t *Tail) trimLocked() {
	for t.bytes > t.budget && len(t.records)-t.head > 1 {
		r := &t.records[t.head]
		t.base = r.Seq
		t.bytes -= len(r.Bytes) + overhead
		*r = Record{}
		t.head++
	}
	if t.head > 1024 && t.head > len(t.records)/2 {
		n := copy(t.records, t.records[t.head:])
		clear(t.records[n:])
		t.dropped += uint64(t.head)
		t.records, t.head = t.records[:n], 0
	}
}

// End is the position of the last record.
func (t *Tail) End() wire.Seq {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.end
}

// Base is the position after which every record is held.
func (t *Tail) Base() wire.Seq {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.base
}

// Bytes is what the tail holds, overhead included.
func (t *Tail) Bytes() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.bytes
}

// ErrFellBehind: the tail no longer holds what follows a reader's position.
// The reader goes on where older records are kept.
var ErrFellBehind = errors.New("fell behind the tail")

// Follower is one reader of a tail, used by one goroutine.
type Follower struct {
	t *Tail
	c chan struct{} // capacity 1; never closed

	// Owned by the reader's goroutine. next counts records since the tail was
	// made: positions alone don't tell two watermarks at one position apart.
	pos  wire.Seq
	next uint64
	seek bool // next is to be found by pos
}

// Follow is a reader that starts after pos. Stop it.
func (t *Tail) Follow(pos wire.Seq) *Follower {
	f := &Follower{t: t, c: make(chan struct{}, 1), pos: pos, seek: true}
	f.c <- struct{}{} // there may be something to read already
	t.mu.Lock()
	t.followers[f] = struct{}{}
	t.mu.Unlock()
	return f
}

// Stop ends the following.
func (f *Follower) Stop() {
	f.t.mu.Lock()
	delete(f.t.followers, f)
	f.t.mu.Unlock()
}

// C receives when there may be something new to read.
func (f *Follower) C() <-chan struct{} { return f.c }

func (f *Follower) wake() {
	select {
	case f.c <- struct{}{}:
	default:
	}
}

// Pos is the position up to which the follower has read.
func (f *Follower) Pos() wire.Seq { return f.pos }

// Seek moves the follower to pos: it has read what is older elsewhere.
func (f *Follower) Seek(pos wire.Seq) { f.pos, f.seek = pos, true }

// Read appends to dst what follows the position, at most limit records and,
// but for the first, at most size bytes, and moves the position behind them.
// Nothing appended means: wait on C. Records stay valid for ever.
func (f *Follower) Read(dst []Record, limit, size int) ([]Record, error) {
	t := f.t
	t.mu.Lock()
	defer t.mu.Unlock()
	if f.pos < t.base {
		return dst, ErrFellBehind
	}
	i := t.head
	switch first := t.dropped + uint64(t.head); {
	case f.seek:
		i = t.searchLocked(f.pos + 1)
	case f.next > first: // else only watermarks that it had not read are gone
		i = int(f.next - t.dropped)
	}
	for ; i < len(t.records) && limit > 0 && size > 0; i++ {
		r := t.records[i]
		f.pos = max(f.pos, r.Seq)
		dst = append(dst, r)
		limit--
		size -= len(r.Bytes)
	}
	f.next, f.seek = t.dropped+uint64(i), false
	return dst, nil
}

// searchLocked is the index of the first record at or after pos.
func (t *Tail) searchLocked(pos wire.Seq) int {
	n := sort.Search(len(t.records)-t.head, func(i int) bool { return t.records[t.head+i].Seq >= pos })
	return t.head + n
}
