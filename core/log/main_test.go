package log_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"selvedge/wire"

	"go.uber.org/goleak"

	corelog "selvedge/core/log"
)

// childEnv names what the test binary does when a test runs it as a process.
const childEnv = "SELVEDGE_LOG_TEST_CHILD"

func TestMain(m *testing.M) {
	if do := os.Getenv(childEnv); do != "" {
		if err := child(do, os.Args[len(os.Args)-1]); err != nil {
			_, _ = fmt.Fprintln(os.Stdout, "error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// config is that of small logs in dir, under boot "one".
func config(dir string) corelog.Config {
	return corelog.Config{Dir: dir, Logs: 4, BootID: func() string { return "one" }}
}

func open(t testing.TB, cfg corelog.Config) *corelog.Store {
	t.Helper()
	cfg.Logger = logged(t)
	s, err := corelog.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func post(ch wire.Channel, text string) *wire.Post {
	data, err := wire.ParseJSON(fmt.Appendf(nil, "%q", text))
	if err != nil {
		panic(err) // a test's mistake
	}
	return &wire.Post{Ch: ch, TS: 1_700_000_000_000, Data: data}
}

func publish(t testing.TB, s *corelog.Store, p *wire.Post) corelog.Placed {
	t.Helper()
	placed, err := s.Publish(t.Context(), "key", p)
	if err != nil {
		t.Fatalf("publish to %s: %v", p.Ch, err)
	}
	return placed
}

// text is what post was given.
func text(t testing.TB, b wire.Body) string {
	t.Helper()
	p, err := wire.ParseBody(b)
	if err != nil {
		t.Fatal(err)
	}
	j, err := p.Data.AppendJSON(nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(j[1 : len(j)-1])
}

func seqs(frames []corelog.Stored) []wire.Seq {
	out := []wire.Seq{}
	for _, f := range frames {
		out = append(out, f.Seq)
	}
	return out
}

// follow sends what a Follow gets to the channel, until the test ends.
func follow(t testing.TB, s *corelog.Store, p wire.LogID, after wire.Seq) <-chan corelog.Stored {
	t.Helper()
	got := make(chan corelog.Stored, 1<<16)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- s.Follow(ctx, p, after, func(batch []corelog.Stored) error {
			for _, st := range batch {
				got <- st
			}
			return nil
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) && !errors.Is(err, corelog.ErrUnavailable) {
			t.Errorf("follow: %v", err)
		}
	})
	return got
}

func receive(t testing.TB, got <-chan corelog.Stored) corelog.Stored {
	t.Helper()
	select {
	case st := <-got:
		return st
	case <-time.After(10 * time.Second): // less than a follower takes to notice silence
		t.Fatal("nothing followed within 10 s")
		return corelog.Stored{}
	}
}

// limit is more than anything takes, for what would wait for ever.
const limit = 30 * time.Second

// eventually polls until ok, for as long as limit.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(limit); !ok(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not in time: %s", what)
		}
	}
}
