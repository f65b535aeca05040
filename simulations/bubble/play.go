package bubble

import (
	"context"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/simulations/child"
)

// Play runs f in a bubble of its own, with a folder for files, which is removed
// then. f's context ends when outer does, within a second of virtual time: a select
// on a channel of outer's would stop the bubble's clock. Play then fails with outer's
// error, whatever f said.
func Play(outer context.Context, t *testing.T, f func(ctx context.Context, dir string) error) error {
	dir, err := child.Folder("simulate")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // also when f ends the test, or panics; whether it can be is told below
	Clean()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var watch sync.WaitGroup
		watch.Go(func() {
			for ctx.Err() == nil {
				if outer.Err() != nil {
					cancel()
				}
				select {
				case <-ctx.Done():
				case <-time.After(time.Second):
				}
			}
		})
		err = f(ctx, dir)
		cancel()
		watch.Wait()
	})
	if removing := os.RemoveAll(dir); err == nil {
		err = removing
	}
	if outer.Err() != nil {
		return outer.Err()
	}
	return err
}
