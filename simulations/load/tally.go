package load

import (
	"cmp"
	"fmt"
	"sync"
	"sync/atomic"
)

// tally counts what the sockets of one group receive. Safe for concurrent use.
type tally struct {
	frames, bytes atomic.Int64 // messages and the bytes of their frames, since the round began
	target        atomic.Int64 // messages that end the round
	all           atomic.Int64 // messages, ever
	open          atomic.Int64

	timed atomic.Bool // the round's receipts are

	mu    sync.Mutex
	times map[int64]int64 // guarded by mu; messages of a timed round, by moment in bins
	total Stats           // guarded by mu; but for Open and Frames
	last  int64           // guarded by mu: when the round's last message came (Now)
	done  chan struct{}   // guarded by mu; closed when the round has all
}

// Stats is what happened at a group's sockets since they were connected.
type Stats struct {
	Open       int64 `json:"open"`
	Frames     int64 `json:"frames"`     // messages received
	Pings      int64 `json:"pings"`      // answered
	Others     int64 `json:"others"`     // cursors and the like
	Retried    int64 `json:"retried"`    // tries of sockets that were not welcome at once
	Closed     int64 `json:"closed"`     // not by us
	Wrong      int64 `json:"wrong"`      // damaged, or not to be expected
	Lost       int64 `json:"lost"`       // holes between two messages that came
	Duplicated int64 `json:"duplicated"` // or out of order
	// Complaint is the first thing that was not as it should be.
	Complaint string `json:"complaint,omitempty"`
}

func (s *Stats) add(o Stats) {
	s.Open += o.Open
	s.Frames += o.Frames
	s.Pings += o.Pings
	s.Others += o.Others
	s.Retried += o.Retried
	s.Closed += o.Closed
	s.Wrong += o.Wrong
	s.Lost += o.Lost
	s.Duplicated += o.Duplicated
	s.Complaint = cmp.Or(s.Complaint, o.Complaint)
}

func (s *Stats) String() string {
	return fmt.Sprintf("%d sockets closed, %d frames wrong, %d holes, %d duplicated or out of order; first: %s",
		s.Closed, s.Wrong, s.Lost, s.Duplicated, s.Complaint)
}

// Fault says what the counts accuse the server of; "" = nothing.
func (s *Stats) Fault() string {
	if s.Closed+s.Wrong+s.Lost+s.Duplicated == 0 {
		return ""
	}
	return s.String()
}

func (t *tally) expect(frames int64, timed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.timed.Store(timed)
	t.times = map[int64]int64{}
	t.frames.Store(0)
	t.bytes.Store(0)
	t.last = 0
	t.done = make(chan struct{})
	t.target.Store(frames)
	if frames == 0 {
		close(t.done)
	}
}

// got counts what one read brought.
func (t *tally) got(frames, bytes int64) {
	t.all.Add(frames)
	t.bytes.Add(bytes)
	if t.timed.Load() {
		t.time(frames, Now())
	}
	n := t.frames.Add(frames)
	if target := t.target.Load(); n >= target && n-frames < target {
		now := Now()
		t.mu.Lock()
		defer t.mu.Unlock()
		t.last = now
		close(t.done)
	}
}

func (t *tally) time(frames, now int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.times[now/bin] += frames
}

// count changes the totals.
func (t *tally) count(change func(s *Stats)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&t.total)
}

// complain counts something bad, by change, and keeps the first reason.
func (t *tally) complain(err error, change func(s *Stats)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&t.total)
	if t.total.Complaint == "" {
		t.total.Complaint = err.Error()
	}
}

func (t *tally) stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.total
	s.Open, s.Frames = t.open.Load(), t.all.Load()
	return s
}
