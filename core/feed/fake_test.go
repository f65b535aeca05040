package feed_test

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/core/directory"
	"selvedge/core/feed"
	corelog "selvedge/core/log"
	"selvedge/wire"
	"selvedge/wire/tail"
)

// fakeLog is one frame log that can be trimmed at a chosen moment.
type fakeLog struct {
	frames []corelog.Stored // all, as if nothing were trimmed
	end    wire.Seq         // of the log as it is opened
	floor  atomic.Uint64
	// trimAt is the floor after the next read.
	mu     sync.Mutex
	trimAt wire.Seq
	// latest answers Latest; nil = 0, as of a single core's log.
	latest func() (wire.Seq, error)
}

func (l *fakeLog) Epoch() string { return "e" }
func (l *fakeLog) Logs() int     { return 1 }

func (l *fakeLog) End(p wire.LogID) wire.Seq {
	if p == wire.StateLog {
		return 0
	}
	return l.end
}

func (l *fakeLog) Latest(_ context.Context, p wire.LogID) (wire.Seq, error) {
	if p == wire.StateLog || l.latest == nil {
		return 0, nil
	}
	return l.latest()
}

func (l *fakeLog) Floor(wire.LogID) wire.Seq { return wire.Seq(l.floor.Load()) }

func (l *fakeLog) Follow(ctx context.Context, p wire.LogID, after wire.Seq, fn func([]corelog.Stored) error) error {
	if p != wire.StateLog {
		if frames := l.between(after, 1<<60); len(frames) > 0 {
			if err := fn(frames); err != nil {
				return err
			}
		}
	}
	<-ctx.Done()
	return ctx.Err()
}

// between is what the log has in (after, upto] now.
func (l *fakeLog) between(after, upto wire.Seq) []corelog.Stored {
	var out []corelog.Stored
	for _, f := range l.frames {
		if f.Seq > max(after, l.Floor(0)) && f.Seq <= upto {
			out = append(out, f)
		}
	}
	return out
}

func (l *fakeLog) trim() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.trimAt > 0 {
		l.floor.Store(uint64(l.trimAt))
	}
}

func (l *fakeLog) Read(_ context.Context, _ wire.LogID, after wire.Seq, _ int) ([]corelog.Stored, error) {
	defer l.trim()
	return l.between(after, 1<<60), nil
}

func (l *fakeLog) ReadAt(_ context.Context, _ wire.LogID, seqs []wire.Seq) (out []corelog.Stored, _ error) {
	defer l.trim()
	for _, f := range l.between(0, 1<<60) {
		if slices.Contains(seqs, f.Seq) {
			out = append(out, f)
		}
	}
	return out, nil
}

func (l *fakeLog) ReadBefore(_ context.Context, _ wire.Channel, before wire.Seq, limit, _ int) ([]corelog.Stored, bool, error) {
	defer l.trim()
	if before == 0 {
		before = 1 << 60
	}
	all := l.between(0, before-1)
	first := max(0, len(all)-limit)
	return all[first:], first > 0, nil
}

func (l *fakeLog) ReadChannel(_ context.Context, _ wire.Channel, after, upto wire.Seq, _, _ int) ([]corelog.Stored, bool, error) {
	defer l.trim()
	if upto == 0 {
		upto = 1 << 60
	}
	return l.between(after, upto), false, nil
}

// faked is a feed of room:r's frames 1..n.
func faked(t *testing.T, l *fakeLog, n wire.Seq, edit ...func(*feed.Config)) *feed.Feed {
	t.Helper()
	for s := wire.Seq(1); s <= n; s++ {
		l.frames = append(l.frames, corelog.Stored{Seq: s, Body: wire.AppendBody(nil, &wire.Post{Ch: "room:r", TS: 1, Data: wire.Data{0xc3}})})
	}
	l.end = max(l.end, n)
	view, err := directory.Open(directory.Config{Dir: t.TempDir(), Epoch: "e"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = view.Close() })
	cfg := feed.Config{Log: l, View: view, TailBytes: 1, Logger: slog.New(slog.DiscardHandler)}
	for _, edit := range edit {
		edit(&cfg)
	}
	return feed.New(cfg)
}

// runFor runs a feed for some simulated time.
func runFor(t *testing.T, f *feed.Feed, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	time.Sleep(d)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func isReady(f *feed.Feed) bool {
	select {
	case <-f.Ready():
		return true
	default:
		return false
	}
}

// Frames that are trimmed while they are read make a gap, and no frame that
// promises what isn't known: its prev stays below it, and above what is gone.
func TestTrimmingWhileReading(t *testing.T) {
	for _, floor := range []wire.Seq{3, 12, 19, 20} {
		for name, read := range map[string]func(*feed.Feed) ([][]byte, wire.Seq){
			"read": func(f *feed.Feed) (out [][]byte, gone wire.Seq) {
				records, _, gone, err := f.Read(t.Context(), 0, 4, func([2]wire.Key) bool { return true })
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range records {
					out = append(out, r.Bytes)
				}
				return out, gone
			},
			"fill": func(f *feed.Feed) (out [][]byte, gone wire.Seq) {
				a := f.Query(t.Context(), "e", &wire.Query{T: wire.QFill, Chs: []wire.Channel{"room:r"}, Afters: []wire.Seq{4}, Uptos: []wire.Seq{20}}, 0)
				for _, b := range a.Fills[0].Frames {
					out = append(out, b)
				}
				return out, a.Fills[0].Gone
			},
			"history": func(f *feed.Feed) (out [][]byte, gone wire.Seq) {
				after := wire.Seq(4)
				page, err := f.History(t.Context(), "room:r", nil, &after, 100)
				if err != nil {
					t.Fatal(err)
				}
				for _, b := range page.Frames {
					out = append(out, b)
				}
				return out, page.Floor
			},
		} {
			synctest.Test(t, func(t *testing.T) {
				l := &fakeLog{}
				f := faked(t, l, 20)
				runFor(t, f, time.Millisecond)
				l.trimAt = floor
				got, gone := read(f)
				if floor > 4 && gone != floor {
					t.Errorf("%s, trimmed to %d: gone %d", name, floor, gone)
				}
				frames := framesOf(t, got)
				if want := int(20 - max(floor, 4)); len(frames) != want {
					t.Errorf("%s, trimmed to %d: %d frames, want %d", name, floor, len(frames), want)
				}
				for _, fr := range frames {
					if fr.Prev != fr.Seq-1 {
						t.Errorf("%s, trimmed to %d: prev of %d is %d", name, floor, fr.Seq, fr.Prev)
					}
				}
			})
		}
	}
}

// A log whose last records are trimmed before they could be read keeps no core
// from getting ready; and those records may have been any channel's.
func TestReadyWhenTheRestIsTrimmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLog{end: 10}
		f := faked(t, l, 0)
		l.floor.Store(10)
		runFor(t, f, 3*time.Second)
		if !isReady(f) {
			t.Error("not ready")
		}
		if got := f.Moved(nil, 0, []wire.Key{1}, 4); len(got) != 1 {
			t.Error("nothing has moved over the trimmed records")
		}
	})
}

func TestNotReadyBeforeTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := faked(t, &fakeLog{end: 10}, 9)
		runFor(t, f, 3*time.Second)
		if isReady(f) {
			t.Error("ready with a record of the start still to come")
		}
	})
}

// What the log has beyond the tail will come of the tail: read twice, it would
// be sent twice.
func TestReadEndsWhereTheTailDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLog{}
		f := faked(t, l, 20)
		all := l.frames
		l.frames = all[:12]
		runFor(t, f, time.Millisecond)
		l.frames = all
		records, upto, _, err := f.Read(t.Context(), 0, 0, func([2]wire.Key) bool { return true })
		if err != nil || upto != 12 || len(records) != 12 {
			t.Errorf("read %d records up to %d, %v; the tail ends at 12", len(records), upto, err)
		}
	})
}

// A record that can't be read is left out, and holds up nothing.
func TestUnreadableFrameIsLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLog{}
		f := faked(t, l, 3)
		l.frames[1].Body, l.frames[2].Body = []byte{99}, nil
		runFor(t, f, time.Millisecond)
		if !isReady(f) || f.Tail(0).End() != 1 {
			t.Errorf("ready %v, the tail ends at %d", isReady(f), f.Tail(0).End())
		}
		records, upto, _, err := f.Read(t.Context(), 0, 0, func([2]wire.Key) bool { return true })
		if err != nil || len(records) != 1 || upto != 1 {
			t.Errorf("read %d records up to %d, %v", len(records), upto, err)
		}
	})
}

// Rule 5: quiet logs say each second that they are.
func TestWatermarksEachSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := faked(t, &fakeLog{}, 3)
		readers := map[wire.LogID]*tail.Follower{0: f.Tail(0).Follow(3), wire.StateLog: f.Tail(wire.StateLog).Follow(0)}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- f.Run(ctx) }()
		time.Sleep(time.Millisecond)
		for p, r := range readers {
			if got, err := r.Read(nil, 10, 1000); err != nil || len(got) > 0 {
				t.Errorf("log %d at first: %+v, %v; want nothing", p, got, err)
			}
		}
		for second := range 5 {
			time.Sleep(time.Second)
			for p, r := range readers {
				got, err := r.Read(nil, 10, 1000)
				if err != nil || len(got) != 1 || got[0].Kind != tail.Watermark || got[0].Seq != f.Tail(p).End() {
					t.Errorf("log %d in second %d: %+v, %v; want one watermark", p, second, got, err)
				}
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
