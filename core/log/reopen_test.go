package log_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	corelog "selvedge/core/log"
)

// lines are what is logged. Safe for concurrent use.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *lines) count(part string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), part)
}

// A core whose log was opened again while it has no leader waits for one: closed
// and begun anew after each question that has no answer, it would miss the moment in
// which there is one, for longer and longer.
func TestAReopenedCoreWaitsForALeader(t *testing.T) {
	t.Parallel()
	var said lines
	c := newTrio(t)
	c.logger = slog.New(slog.NewTextHandler(&said, nil))
	c.start(c.names...)
	publish(t, c.stores["a"], post("room:a", "x"))
	c.settle() // two that stop in doubt come back with another epoch
	c.stop("b", "c")
	began := time.Now()
	patience, err := corelog.Break(c.stores["a"])
	if err != nil {
		t.Fatal(err)
	}
	alone := time.NewTimer(4 * time.Second) // two questions' time
	defer alone.Stop()
	<-alone.C
	c.start("b", "c")
	eventually(t, "a publish by way of the core that waits is taken", func() bool {
		_, err := c.stores["a"].Publish(t.Context(), "key", post("room:a", "y"))
		return err == nil
	})
	took := time.Since(began)
	if n := said.count("the log is open again"); n != 1 {
		t.Errorf("it was opened again %d times", n)
	}
	if n := said.count("can't be opened again yet"); n != 0 && took < patience {
		t.Errorf("it was begun anew %d times in %v", n, took)
	}
}
