package feed_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"selvedge/core/directory"
	"selvedge/core/feed"
	corelog "selvedge/core/log"
	"selvedge/wire"
	"selvedge/wire/link/linktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// core is the part of a core that feeds: real logs and a real view in a
// temporary folder.
type core struct {
	*feed.Feed
	t      *testing.T
	log    *corelog.Store
	cut    *cutLog // log, as the feed sees it
	dir    string  // of the feed
	view   *directory.View
	writer *directory.Writer
	stop   func() // ends the feed
}

// start starts one; edit may change its settings.
func start(t *testing.T, edit func(*corelog.Config, *feed.Config)) *core {
	t.Helper()
	c := &core{t: t}
	logger := slog.New(slog.DiscardHandler)
	lc := corelog.Config{Dir: t.TempDir(), Logs: 2, Logger: logger}
	fc := feed.Config{TailBytes: 4 << 10, Logger: logger, Signal: func(string, *wire.Signal) {}}
	if edit != nil {
		edit(&lc, &fc)
	}
	var err error
	if c.log, err = corelog.Open(t.Context(), lc); err != nil {
		t.Fatal(err)
	}
	if c.view, err = directory.Open(directory.Config{Dir: t.TempDir(), Epoch: c.log.Epoch(), Logger: logger}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(c.view.Close(), c.log.Close()); err != nil {
			t.Error(err)
		}
	})
	c.writer = &directory.Writer{View: c.view, Log: c.log, End: c.log.End, Logs: c.log.Logs()}
	c.cut, c.dir = &cutLog{Store: c.log, floors: make([]atomic.Uint64, c.log.Logs())}, t.TempDir()
	if fc.Log == nil {
		fc.Log = c.cut
	}
	fc.Dir = c.dir
	fc.View = c.view
	if fc.Publish == nil {
		fc.Publish = c.log.Publish
	}
	c.Feed = feed.New(fc)
	c.run()
	return c
}

// run runs the feed until the test ends, and waits until it is ready.
func (c *core) run() {
	c.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	c.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			c.t.Errorf("feed: %v", err)
		}
	})
	c.t.Cleanup(c.stop)
	select {
	case <-c.Ready():
	case <-time.After(10 * time.Second):
		c.t.Fatal("the feed does not get ready")
	}
}

// again is a feed of the same logs and folder, as after a restart.
func (c *core) again() *core {
	c.t.Helper()
	c.stop()
	next := *c
	next.Feed = feed.New(feed.Config{
		Log: c.cut, View: c.view, Publish: c.log.Publish, Dir: c.dir, TailBytes: 4 << 10, Logger: slog.New(slog.DiscardHandler),
	})
	next.run()
	return &next
}

// publish appends a frame with data of size bytes and waits for the tail.
func (c *core) publish(ch wire.Channel, size int, ts int64) (wire.LogID, wire.Seq) {
	c.t.Helper()
	data := append(wire.Data{0xda, byte(size >> 8), byte(size)}, make([]byte, size)...)
	placed, err := c.log.Publish(c.t.Context(), "key", &wire.Post{Ch: ch, TS: ts, Data: data})
	if err != nil {
		c.t.Fatal(err)
	}
	c.await(placed.P, placed.Seq)
	return placed.P, placed.Seq
}

func (c *core) await(p wire.LogID, seq wire.Seq) {
	c.t.Helper()
	eventually(c.t, fmt.Sprintf("log %d is at %d", p, seq), func() bool { return c.Tail(p).End() >= seq })
}

// room makes a room with members.
func (c *core) room(id wire.RoomID, doc string, members ...wire.UserID) {
	c.t.Helper()
	if _, err := c.writer.PutRoom(c.t.Context(), id, object(c.t, doc), nil); err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.writer.Members(c.t.Context(), id, directory.MembersChange{Add: members}); err != nil {
		c.t.Fatal(err)
	}
}

func (c *core) user(id wire.UserID, doc string) {
	c.t.Helper()
	if _, err := c.writer.PutUser(c.t.Context(), id, object(c.t, doc), nil); err != nil {
		c.t.Fatal(err)
	}
}

// ask is a query's answer, which must not be an error.
func (c *core) ask(q *wire.Query) *wire.Answer {
	c.t.Helper()
	a := c.Query(c.t.Context(), "edge", q, 0)
	if a.Err != nil {
		c.t.Fatalf("%s: %s: %s", q.T, a.Err.Code, a.Err.Message)
	}
	return a
}

func object(t *testing.T, json string) wire.Data {
	t.Helper()
	d, err := wire.ParseJSON([]byte(json))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// eventually polls until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(10 * time.Second); !ok(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// frame is a frame as tests compare it.
type frame struct{ Seq, Prev wire.Seq }

func framesOf[B ~[]byte](t *testing.T, encoded []B) []frame {
	t.Helper()
	out := []frame{}
	for _, b := range encoded {
		f, err := wire.ParseFrame(b)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, frame{f.Seq, f.Prev})
	}
	return out
}

func TestFeedIsASource(t *testing.T) {
	linktest.TestSource(t, func(t *testing.T) linktest.Subject {
		c := start(t, nil)
		return linktest.Subject{
			Source: c, Trim: c.cut.trim,
			Publish: func(ch wire.Channel) (wire.LogID, wire.Seq) { return c.publish(ch, 10, 1) },
		}
	})
}
