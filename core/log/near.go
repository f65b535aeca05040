package log

import (
	"context"
	"sync"

	"selvedge/wire"
)

// A single core appends every record of its logs itself, so it need not read
// them again for those that follow: they are handed what the log has just
// acknowledged. The acknowledgements of a log come over one connection in the
// order of its positions. Nothing here has to be complete: a follower takes what
// goes on right after the record that it had last, and reads the log else.
// Several cores, and an external NATS, have other writers, too: there, all is read.

// inboxBytes is what may wait for one follower, in bytes; past it, the follower
// reads the log.
const inboxBytes = 4 << 20

// inbox is what was appended to a log since one follower has looked last. Safe
// for concurrent use.
type inbox struct {
	wake chan struct{} // of one element; there is something new

	mu      sync.Mutex
	records []Stored
	size    int
	over    bool // records is not all: there was no room
}

// put adds a record, which becomes the inbox's. Its follower is woken when there
// are as many as enough.
func (b *inbox) put(st Stored, size, enough int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over = b.over || b.size+size > inboxBytes && b.size > 0; b.over {
		return
	}
	b.records, b.size = append(b.records, st), b.size+size
	if len(b.records) == enough {
		b.look()
	}
}

// look wakes the follower.
func (b *inbox) look() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// take empties the inbox. over says that what was put in after records is
// missing: restart, and read the log.
func (b *inbox) take() (records []Stored, over bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	records, over = b.records, b.over
	b.records, b.size = nil, 0
	return records, over
}

// restart empties the inbox: whatever is acknowledged from now on comes into it.
func (b *inbox) restart() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.records, b.size, b.over = nil, 0, false
}

// inboxes are those of all who follow one log. Safe for concurrent use.
type inboxes struct {
	mu    sync.Mutex
	all   []*inbox
	calls int // that append many records, and have not ended
}

// portionRecords is how many records followers get at a time, at least, while
// somebody appends many: each time costs them as much as some records.
const portionRecords = 128

// begin says that a call appends n records, and returns what says that it has
// ended. Followers look for the last of them then, at the latest.
func (s *inboxes) begin(n int) (end func()) {
	many := 0
	if n > 1 {
		many = 1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls += many
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.calls == 0 {
			return // nothing was held back
		}
		s.calls -= many
		for _, b := range s.all {
			b.look()
		}
	}
}

// open adds one; close it when nobody looks into it any more.
func (s *inboxes) open() *inbox {
	b := &inbox{wake: make(chan struct{}, 1)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, b)
	return b
}

func (s *inboxes) close(b *inbox) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, other := range s.all {
		if other == b {
			s.all = append(s.all[:i:i], s.all[i+1:]...)
			return
		}
	}
}

// put hands out the record that was appended at a position: body as the log has
// it, and of a state record what it says. Each follower gets a record of its own.
func (s *inboxes) put(seq wire.Seq, body []byte, state *wire.StateRecord) {
	s.mu.Lock()
	defer s.mu.Unlock()
	enough := 1
	if s.calls > 0 {
		enough = portionRecords
	}
	for _, b := range s.all {
		st := Stored{Seq: seq, Body: body}
		if state != nil {
			r := *state
			r.V = seq
			st.Body, st.State = nil, &r
		}
		b.put(st, len(body)+overhead, enough)
	}
}

// near gives fn what comes into box, until something is wrong. It returns nil
// when a record is missing there: the log has to be read then.
func (f *follower) near(ctx context.Context, sess *session, box *inbox) error {
	for {
		records, over := box.take()
		for len(records) > 0 {
			if records[0].Seq <= f.at {
				records = records[1:] // it was read
				continue
			}
			n := portion(f.at, records)
			if n == 0 {
				return nil
			}
			if err := f.give(records[:n:n]); err != nil {
				return err
			}
			records = records[n:]
		}
		if over {
			return nil
		}
		select {
		case <-box.wake:
		case <-sess.failed:
			return sess.cause
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// portion is how many of records fn is given at once: those that follow a position
// without a gap, but not too many.
func portion(at wire.Seq, records []Stored) int {
	n, size := 0, 0
	for n < len(records) && n < pullRecords && size < batchBytes && records[n].Seq == at+wire.Seq(n)+1 {
		size += len(records[n].Body)
		n++
	}
	return n
}
