package bench

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// pace is how often a publisher looks at how far the clients are.
const pace = 10 * time.Millisecond

// publish publishes for a time as fast as the clients receive, waits until they
// have everything, and returns how many messages that were.
func (g *gc) publish(ctx context.Context, long time.Duration) (int, error) {
	work := make(chan int, g.Halls*g.Ahead) // message numbers; closed by the goroutine that sends them
	api := g.publisher(g.Publishers)
	published := 0
	w, ctx := errgroup.WithContext(ctx)
	for range g.Publishers {
		w.Go(func() error {
			for n := range work {
				if _, err := api.Publish(ctx, g.messages[n%len(g.messages)]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	w.Go(func() error {
		defer close(work)
		var err error
		published, err = g.feed(ctx, time.Now().Add(long), work)
		return err
	})
	return published, w.Wait()
}

// feed sends message numbers until a moment, never more than Ahead a room
// before the clients, and then waits for these.
func (g *gc) feed(ctx context.Context, until time.Time, work chan<- int) (published int, err error) {
	stats, err := g.clients.Stats(ctx, ours)
	if err != nil {
		return 0, err
	}
	expected := stats.Frames
	stalled := time.Now()
	for frames := stats.Frames; ; {
		now := time.Now()
		window := int64(g.Sockets) * int64(g.Ahead)
		for now.Before(until) && expected-frames < window {
			select {
			case work <- published:
			case <-ctx.Done():
				return published, ctx.Err()
			}
			expected += int64(g.audience(published))
			published++
		}
		if frames == expected && !now.Before(until) {
			return published, nil
		}
		if err := settle(ctx, pace); err != nil {
			return published, err
		}
		if stats, err = g.clients.Stats(ctx, ours); err != nil {
			return published, err
		}
		if fault := stats.Fault(); fault != "" {
			return published, fmt.Errorf("ours: %s", fault)
		}
		if stats.Frames != frames {
			stalled = now
		}
		if frames = stats.Frames; now.Sub(stalled) > g.rig.Patience {
			return published, fmt.Errorf("%d of %d frames came, and none for %v", frames, expected, g.rig.Patience)
		}
	}
}

// audience is how many sockets message n goes to.
func (g *gc) audience(n int) int {
	h := n % len(g.messages) % g.Halls
	return g.Sockets*(h+1)/g.Halls - g.Sockets*h/g.Halls
}
