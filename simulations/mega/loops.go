package mega

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"selvedge/core/client"
	"selvedge/simulations/load"
	"selvedge/wire"
)

// loop is a way of publishing to many channels. send returns when all is
// acknowledged.
type loop struct {
	how  string
	send func(ctx context.Context, api *client.Client, messages []client.Message) error
}

// loops are the ways in which a backend may do it.
func (s *Rooms) loops() []loop {
	return []loop{
		{"one by one", oneByOne},
		{fmt.Sprintf("%d at once", s.AtOnce), func(ctx context.Context, api *client.Client, messages []client.Message) error {
			return atOnce(ctx, api, messages, s.AtOnce)
		}},
		{fmt.Sprintf("batches of %d", s.Batch), func(ctx context.Context, api *client.Client, messages []client.Message) error {
			return inBatches(ctx, api, messages, s.Batch)
		}},
	}
}

// oneByOne publishes over one connection that is kept.
func oneByOne(ctx context.Context, api *client.Client, messages []client.Message) error {
	for _, m := range messages {
		if _, err := api.Publish(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// atOnce publishes over n connections that are kept.
func atOnce(ctx context.Context, api *client.Client, messages []client.Message, n int) error {
	var turn atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range min(n, len(messages)) {
		g.Go(func() error {
			for {
				i := int(turn.Add(1)) - 1
				if i >= len(messages) {
					return nil
				}
				if _, err := api.Publish(ctx, messages[i]); err != nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}

// inBatches publishes n messages a call, one call after the other.
func inBatches(ctx context.Context, api *client.Client, messages []client.Message, n int) error {
	for ; len(messages) > 0; messages = messages[min(n, len(messages)):] {
		results, err := api.PublishBatch(ctx, messages[:min(n, len(messages))])
		if err != nil {
			return err
		}
		for _, res := range results {
			if res.Err != nil {
				return res.Err
			}
		}
	}
	return nil
}

// tellOutcome is what it took to tell everybody.
type tellOutcome struct {
	handler, last time.Duration
}

// tell publishes the next text to channels, and waits until it came wherever
// somebody is connected. frames is how many come to count sockets from number first
// on.
func (r *roomsRun) tell(ctx context.Context, l loop, channels []wire.Channel, frames func(first, count int) int) (o tellOutcome, err error) {
	messages := make([]client.Message, len(channels))
	one, err := r.message("", r.sent)
	if err != nil {
		return o, err
	}
	r.sent++
	for i, ch := range channels {
		messages[i] = one
		messages[i].Channel = ch
	}
	if err := r.clients.ExpectTimed(ctx, online, r.Sockets, frames); err != nil {
		return o, err
	}
	start := load.Now()
	if err := l.send(ctx, r.api, messages); err != nil {
		return o, err
	}
	o.handler = time.Duration(load.Now() - start)
	got, err := r.clients.Await(ctx, online, r.patience())
	if err != nil {
		return o, err
	}
	if !got.Complete {
		return o, r.missing(ctx, online, got.Frames, int64(frames(0, r.Sockets)))
	}
	if got.Last > 0 {
		o.last = time.Duration(got.Last - start)
	}
	return o, nil
}
