package bubble_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server/ats"

	"selvedge/simulations/bubble"
)

func TestPlay(t *testing.T) {
	ats.Register()
	defer ats.Unregister()
	var folder string
	odd := errors.New("as returned")
	err := bubble.Play(t.Context(), t, func(ctx context.Context, dir string) error {
		folder = dir
		if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
			return err
		}
		begin := time.Now()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Hour):
		}
		if took := time.Since(begin); took != time.Hour {
			t.Errorf("an hour of it took %v", took)
		}
		return odd
	})
	if !errors.Is(err, odd) {
		t.Errorf("it returned %v", err)
	}
	if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its folder is left: %v", err)
	}
}

// cancelled is a context that was, without a channel that a bubble could meet.
type cancelled struct{ context.Context }

func (cancelled) Err() error { return context.Canceled }

func TestPlayIsInterrupted(t *testing.T) {
	err := bubble.Play(cancelled{t.Context()}, t, func(ctx context.Context, _ string) error {
		<-ctx.Done()
		return errors.New("something else")
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
}
