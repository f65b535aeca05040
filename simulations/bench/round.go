package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"selvedge/core/client"
	"selvedge/simulations/load"
	"selvedge/wire"
)

// side is one of the two that are compared.
type side struct {
	group string
	// prepare gets n messages ready, with the texts from number first on.
	prepare func(ctx context.Context, first, n int) error
	// send sends n of these, from number first of them on, to every socket; it
	// says when it began (load.Now).
	send func(ctx context.Context, first, n int) (start int64, err error)
}

// outcome is what a round took.
type outcome struct {
	took  time.Duration // from the beginning to the last receipt
	bytes int64         // received
}

// round sends n frames of those that were prepared, from number first of them
// on, and waits until all sockets have all of them.
func (r *rig) round(ctx context.Context, s side, sockets, first, n int) (outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, roundTime)
	defer cancel()
	if err := r.clients.Expect(ctx, s.group, sockets, n); err != nil {
		return outcome{}, err
	}
	start, err := s.send(ctx, first, n)
	if err != nil {
		return outcome{}, err
	}
	got, err := r.clients.Await(ctx, s.group, r.Patience)
	if err != nil {
		return outcome{}, err
	}
	if !got.Complete {
		stats, err := r.clients.Stats(ctx, s.group)
		return outcome{}, errors.Join(err, fmt.Errorf("%d of %d frames came, and none for %v: %s", got.Frames, sockets*n, r.Patience, &stats))
	}
	return outcome{took: time.Duration(got.Last - start), bytes: got.Bytes}, nil
}

// floor is the bare floor, with batch frames per system call.
func (r *rig) floor(batch int) side {
	return side{
		group: bare,
		prepare: func(ctx context.Context, first, n int) error {
			for _, f := range r.floors {
				if err := f.Prepare(ctx, r.texts, string(wire.RoomChannel(everybody)), first, n); err != nil {
					return err
				}
			}
			return nil
		},
		send: func(ctx context.Context, first, n int) (int64, error) {
			g, ctx := errgroup.WithContext(ctx)
			starts := make([]int64, len(r.floors))
			for i, f := range r.floors {
				g.Go(func() (err error) {
					starts[i], _, err = f.Write(ctx, first, n, batch)
					return err
				})
			}
			err := g.Wait()
			return slices.Min(starts), err
		},
	}
}

// edges are the real thing: messages are published by the API, each by itself,
// over as many connections as there are publishers.
func (r *rig) edges(api *client.Client, publishers int) side {
	var messages []client.Message
	return side{
		group: ours,
		prepare: func(_ context.Context, first, n int) error {
			messages = messages[:0]
			for i := range n {
				data, err := r.texts.Data(first + i)
				if err != nil {
					return err
				}
				messages = append(messages, client.Message{Channel: wire.RoomChannel(everybody), Data: data, From: load.From})
			}
			return nil
		},
		send: func(ctx context.Context, first, n int) (int64, error) {
			start := load.Now()
			var turn atomic.Int64
			g, ctx := errgroup.WithContext(ctx)
			for range min(publishers, n) {
				g.Go(func() error {
					for {
						i := int(turn.Add(1)) - 1
						if i >= n {
							return nil
						}
						if _, err := api.Publish(ctx, messages[first+i]); err != nil {
							return err
						}
					}
				})
			}
			return start, g.Wait()
		},
	}
}
