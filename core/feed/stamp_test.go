package feed_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/core/feed"
	corelog "selvedge/core/log"
	"selvedge/wire"
	"selvedge/wire/tail"
)

// stamped runs a feed for some seconds and says in which of them log 0 got a
// watermark, and which positions these have; before runs at the start of each.
func stamped(t *testing.T, f *feed.Feed, seconds int, before func(second int)) (in []bool, at []wire.Seq) {
	t.Helper()
	r := f.Tail(0).Follow(f.Tail(0).End())
	defer r.Stop()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	time.Sleep(time.Millisecond)
	for second := range seconds {
		before(second)
		time.Sleep(time.Second)
		got, err := r.Read(nil, 100, 1<<20)
		if err != nil {
			t.Error(err)
		}
		marks := 0
		for _, rec := range got {
			if rec.Kind == tail.Watermark {
				marks++
				at = append(at, rec.Seq)
			}
		}
		if marks > 1 {
			t.Errorf("%d watermarks in second %d", marks, second)
		}
		in = append(in, marks > 0)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	return in, at
}

// roomy lets a tail hold all of a test.
func roomy(c *feed.Config) { c.TailBytes = 1 << 20 }

// A core that can't know where the log ends says nothing of it: what it has read
// is not the present for sure.
func TestNoWatermarkWithoutTheOthersWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var alone atomic.Bool
		l := &fakeLog{latest: func() (wire.Seq, error) {
			if alone.Load() {
				return 0, corelog.ErrUnavailable
			}
			return 3, nil
		}}
		f := faked(t, l, 3, roomy)
		in, _ := stamped(t, f, 6, func(second int) { alone.Store(second >= 2 && second < 4) })
		for second, got := range in {
			if want := second < 2 || second >= 4; got != want {
				t.Errorf("second %d: a watermark: %v", second, got)
			}
		}
	})
}

// A core that stood still says nothing for a while: what tells it that all is well
// may be of before.
func TestNoWatermarkAfterStandingStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stands atomic.Bool
		l := &fakeLog{latest: func() (wire.Seq, error) {
			if stands.CompareAndSwap(true, false) {
				time.Sleep(5 * time.Second)
			}
			return 3, nil
		}}
		f := faked(t, l, 3, roomy)
		in, _ := stamped(t, f, 14, func(second int) {
			if second == 2 {
				stands.Store(true)
			}
		})
		for second, got := range in {
			if want := second < 2 || second >= 11; got != want {
				t.Errorf("second %d: a watermark: %v", second, got)
			}
		}
	})
}

// A core that has not read what the others know to be there waits for it; what
// was trimmed before it could be read is not waited for.
func TestNoWatermarkBeforeTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLog{latest: func() (wire.Seq, error) { return 5, nil }}
		f := faked(t, l, 3, roomy)
		in, at := stamped(t, f, 6, func(second int) {
			if second == 3 {
				l.floor.Store(5)
			}
		})
		for second, got := range in {
			if want := second >= 3; got != want {
				t.Errorf("second %d: a watermark: %v", second, got)
			}
		}
		for _, seq := range at {
			if seq != 3 {
				t.Errorf("a watermark at %d; the log was read to 3", seq)
			}
		}
	})
}

// What a process knew before it stood still is not the present when it goes on.
func TestNoWatermarkOfAnOldAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLog{latest: func() (wire.Seq, error) {
			time.Sleep(1500 * time.Millisecond) // as if stopped
			return 3, nil
		}}
		f := faked(t, l, 3, roomy)
		in, _ := stamped(t, f, 6, func(int) {})
		for second, got := range in {
			if got {
				t.Errorf("a watermark in second %d", second)
			}
		}
	})
}

// A log that moves all the time is stamped all the same, when what was its end is
// read; and not before.
func TestWatermarksOfABusyLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lateLog{fakeLog: &fakeLog{}, lag: 300 * time.Millisecond}
		began := time.Now()
		l.latest = func() (wire.Seq, error) { return wire.Seq(time.Since(began) / (10 * time.Millisecond)), nil }
		f := faked(t, l.fakeLog, 1000, roomy, func(c *feed.Config) { c.Log = l })
		in, at := stamped(t, f, 4, func(int) {})
		if len(at) != 3 {
			t.Fatalf("watermarks at %v in seconds %v; want one in all but the first", at, in)
		}
		for i, seq := range at {
			if want := wire.Seq(100 * (i + 1)); seq < want || seq > want+1 {
				t.Errorf("watermark %d is at %d, want %d: where the log ended when it was asked", i, seq, want)
			}
		}
	})
}

// lateLog gives a frame each 10 ms, some time after it was appended.
type lateLog struct {
	*fakeLog
	lag time.Duration
}

func (l *lateLog) Follow(ctx context.Context, p wire.LogID, _ wire.Seq, fn func([]corelog.Stored) error) error {
	if p == wire.StateLog {
		<-ctx.Done()
		return ctx.Err()
	}
	wait := time.NewTimer(l.lag)
	defer wait.Stop()
	for _, st := range l.frames {
		wait.Reset(10 * time.Millisecond)
		if st.Seq == 1 {
			wait.Reset(10*time.Millisecond + l.lag)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-wait.C:
		}
		if err := fn([]corelog.Stored{st}); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return ctx.Err()
}

func (l *lateLog) End(wire.LogID) wire.Seq { return 0 }

// An answer is not older than what its asker has seen: a core that is behind waits
// until it isn't, and says so when that takes long.
func TestHistoryIsNotOlderThanSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lateLog{fakeLog: &fakeLog{}}
		f := faked(t, l.fakeLog, 300, roomy, func(c *feed.Config) { c.Log = l })
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- f.Run(ctx) }()
		for _, test := range []struct {
			seen wire.Seq
			ok   bool
			took time.Duration
		}{{0, true, 0}, {100, true, time.Second}, {300, true, 2 * time.Second}, {301, false, 5 * time.Second}, {300, true, 0}} {
			began := time.Now()
			a := f.Query(ctx, "e", &wire.Query{T: wire.QHistory, Ch: "room:r", Limit: 1, V: test.seen}, 0)
			if took := time.Since(began); took != test.took || (a.Err == nil) != test.ok {
				t.Errorf("seen %d: answered after %v, want %v; %+v", test.seen, took, test.took, a.Err)
			}
			if a.Err != nil && a.Err.Code != wire.Unavailable {
				t.Errorf("seen %d: %v", test.seen, a.Err)
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
