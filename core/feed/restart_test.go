package feed_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/core/feed"
	corelog "selvedge/core/log"
	"selvedge/wire"
)

// one is a core of one frame log.
func one(lc *corelog.Config, _ *feed.Config) { lc.Logs = 1 }

// A start reads what came since the last one, and knows the rest.
func TestRestartReadsOnlyWhatIsNew(t *testing.T) {
	c := start(t, one)
	for i := range 30 {
		c.publish(wire.Channel(fmt.Sprint("room:r", i%10)), 10, int64(i))
	}
	c.cut.followed.Store(0)
	c = c.again()
	if n := c.cut.followed.Load(); n != 0 || c.Tail(0).End() != 30 || c.Channels() != 10 {
		t.Errorf("after a stop in order %d frames are read, up to %d, %d channels are known", n, c.Tail(0).End(), c.Channels())
	}
	c.publish("room:r0", 10, 30)
	killed := copyDir(t, c.dir) // as of the last save
	for range 4 {
		c.publish("room:r3", 10, 31)
	}
	c.stop()
	c.dir = killed
	c.cut.followed.Store(0)
	c = c.again()
	if n := c.cut.followed.Load(); n != 5 {
		t.Errorf("after a kill %d frames are read, want the 5 since the last save", n)
	}
	for i := range 10 {
		ch := wire.Channel(fmt.Sprint("room:r", i))
		last := wire.Seq(21 + i)
		switch i {
		case 0:
			last = 31
		case 3:
			last = 35
		}
		page, err := c.History(t.Context(), ch, nil, nil, 100)
		if err != nil || page.Last != last {
			t.Errorf("%s ends at %d, want %d; %v", ch, page.Last, last, err)
		}
		k := []wire.Key{wire.FramesKey(ch)}
		if len(c.Moved(nil, 0, k, last-1)) != 1 || len(c.Moved(nil, 0, k, last)) != 0 {
			t.Errorf("%s is said to end elsewhere than at %d", ch, last)
		}
	}
}

func copyDir(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// Without its snapshot a core reads all there is, and says so. What it then
// can't know it takes for lost.
func TestRestartWithoutASnapshot(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"missing": os.Remove,
		"cut":     func(path string) error { return os.Truncate(path, 40) },
		"empty":   func(path string) error { return os.WriteFile(path, nil, 0o600) },
	} {
		c := start(t, one)
		for i := range wire.Seq(30) {
			c.publish(wire.Channel(fmt.Sprint("room:r", i%10)), 10, 1)
		}
		c.cut.trim(0, 12)
		c.stop()
		if err := spoil(filepath.Join(c.dir, "00.last")); err != nil {
			t.Fatal(err)
		}
		c.cut.followed.Store(0)
		c = c.again()
		if n := c.cut.followed.Load(); n != 18 || c.Channels() != 10 {
			t.Errorf("%s: %d frames are read, %d channels known, want 18 and 10", name, n, c.Channels())
		}
		unknown := []wire.Key{1}
		if len(c.Moved(nil, 0, unknown, 11)) != 1 || len(c.Moved(nil, 0, unknown, 12)) != 0 {
			t.Errorf("%s: what was trimmed, up to 12, may have been anybody's", name)
		}
		for after, gone := range map[wire.Seq]wire.Seq{0: 12, 11: 12, 12: 0} {
			f := c.ask(&wire.Query{T: wire.QFill, Chs: []wire.Channel{"room:r5"}, Afters: []wire.Seq{after}, Uptos: []wire.Seq{30}}).Fills[0]
			if f.Gone != gone || len(f.Frames) != 2 {
				t.Errorf("%s: after %d gone %d, want %d; %d frames", name, after, f.Gone, gone, len(f.Frames))
			}
		}
	}
}

// A long start says how it gets on.
func TestALongStartIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said lines
		f := faked(t, &fakeLog{end: 40}, 10, func(cfg *feed.Config) { cfg.Logger = slog.New(slog.NewTextHandler(&said, nil)) })
		runFor(t, f, 11*time.Second)
		if got := said.String(); strings.Count(got, "frames=10 of=40") != 2 || isReady(f) {
			t.Errorf("it says %s", got)
		}
		said = lines{}
		f = faked(t, &fakeLog{}, 10, func(cfg *feed.Config) { cfg.Logger = slog.New(slog.NewTextHandler(&said, nil)) })
		runFor(t, f, 11*time.Second)
		if got := said.String(); got != "" || !isReady(f) {
			t.Errorf("when it is ready at once, it says %s", got)
		}
	})
}

// lines is a log to look at.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// A room that is quiet for longer than its log keeps frames, beside a busy
// neighbour: who has its last frame lacks nothing, before a restart and after.
func TestAQuietRoomHasNoFalseGap(t *testing.T) {
	c := start(t, trimming)
	c.publish("room:busy", 1000, 1)
	c.publish("room:quiet", 10, 2)
	for range 100 {
		c.publish("room:busy", 1000, 3)
	}
	if floor := c.log.Floor(0); floor < 50 {
		t.Fatalf("the log begins after %d", floor)
	}
	quiet := map[wire.Key]struct{}{wire.FramesKey("room:quiet"): {}}
	ask := func(after wire.Seq, oldest bool) wire.Fill {
		return c.ask(&wire.Query{
			T: wire.QFill, Chs: []wire.Channel{"room:quiet"}, Afters: []wire.Seq{after}, Uptos: []wire.Seq{c.Tail(0).End()}, Oldest: oldest,
		}).Fills[0]
	}
	check := func(when string, frames int) {
		t.Helper()
		if got := c.Lost(nil, 0, quiet, 2, c.log.Floor(0)); len(got) > 0 {
			t.Errorf("%s, a link that has all is told of a gap", when)
		}
		if got := c.Lost(nil, 0, quiet, 1, c.log.Floor(0)); len(got) != 1 {
			t.Errorf("%s, a link that lacks the frame is told nothing", when)
		}
		for _, oldest := range []bool{false, true} {
			if f := ask(2, oldest); f.Gone != 0 || f.Floor != 2 || len(f.Frames) != frames {
				t.Errorf("%s, who has its last frame is told that up to %d all is gone, floor %d, %d frames", when, f.Gone, f.Floor, len(f.Frames))
			}
			if f := ask(1, oldest); f.Gone != 2 || f.Floor != 2 || len(f.Frames) != frames {
				t.Errorf("%s, who lacks it is told that up to %d all is gone, floor %d, %d frames", when, f.Gone, f.Floor, len(f.Frames))
			}
		}
	}
	check("while it is quiet", 0)
	c = c.again()
	check("after a restart", 0)
	if got := c.Moved(nil, 0, []wire.Key{wire.FramesKey("room:quiet")}, 2); len(got) > 0 {
		t.Error("after a restart it is said to have moved")
	}
	c.publish("room:quiet", 10, 4)
	check("when it speaks again", 1)
	if f := framesOf(t, ask(2, false).Frames); f[0].Prev != 2 {
		t.Errorf("its frame follows %d, want 2", f[0].Prev)
	}
	c = c.again()
	check("after another restart", 1)
}
