package client

import (
	"context"
	"sync"
	"time"
)

// NetworkChanged tells the client that this machine is on another network, or is
// back on one: it doesn't wait for a timer to try again, asks its edge for a sign of
// life, and, with Config.Nearest, looks whether another edge is nearer now and moves
// there. It returns at once, and may be called from any goroutine at any time.
func (c *Client) NetworkChanged() {
	select {
	case c.network <- struct{}{}:
	default: // it has yet to act on the last one
	}
}

// wait waits for the next attempt: as long as planned, or, once the network
// changed, as long as the first edge wants to be left alone.
func (c *Client) wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return nil
		case <-c.network:
			if c.cfg.Nearest {
				c.findNearest(ctx)
			}
			timer.Reset(c.edges.choose())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// recheck looks whether another edge is nearer than this session's, in a goroutine
// that lives as long as that takes; then the session ends, to begin there.
func (s *session) recheck(ctx context.Context, running *sync.WaitGroup) {
	if !s.cfg.Nearest || !s.racing.CompareAndSwap(false, true) {
		return
	}
	running.Go(func() {
		defer s.racing.Store(false)
		if !s.cfg.Static && !s.discover(ctx) {
			return
		}
		if s.edges.nearer(ctx, s.edge) {
			close(s.better) // once: racing ends with ctx
			<-ctx.Done()
		}
	})
}
