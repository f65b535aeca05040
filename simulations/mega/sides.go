package mega

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"selvedge/simulations/load"
	"selvedge/wire"
)

// side is one of the two that are compared: gateways with as many sockets each.
type side struct {
	groups  []string // a gateway's sockets each
	sockets int      // of each
	// send sends the next message to all of them, and says when it began (load.Now).
	send func(ctx context.Context) (start int64, err error)
}

// outcome is what a message took, from its beginning.
type outcome struct {
	last time.Duration   // to the last receipt
	done []time.Duration // to the last receipt of each gateway's, ascending
}

// round sends one message, and waits until all sockets have it.
func (r *rig) round(ctx context.Context, s side) (o outcome, err error) {
	for _, g := range s.groups {
		if err := r.clients.Expect(ctx, g, s.sockets, 1); err != nil {
			return o, err
		}
	}
	start, err := s.send(ctx)
	if err != nil {
		return o, err
	}
	for _, g := range s.groups {
		got, err := r.clients.Await(ctx, g, r.patience())
		if err != nil {
			return o, err
		}
		if !got.Complete {
			return o, r.missing(ctx, g, got.Frames, int64(s.sockets))
		}
		o.done = append(o.done, time.Duration(got.Last-start))
	}
	slices.Sort(o.done)
	o.last = o.done[len(o.done)-1]
	return o, nil
}

// published is a side of ours: each message is published to a room.
func (r *rig) published(room wire.RoomID, sockets int, groups ...string) side {
	n := 0
	return side{groups: groups, sockets: sockets, send: func(ctx context.Context) (int64, error) {
		m, err := r.message(wire.RoomChannel(room), n)
		if err != nil {
			return 0, err
		}
		n++
		start := load.Now()
		_, err = r.api.Publish(ctx, m)
		return start, err
	}}
}

// written is a side of floors: each message is written by all of them at once.
// count messages are prepared.
func (r *rig) written(ctx context.Context, channel wire.Channel, sockets, count int, groups []string, floors []*load.Floor) (side, error) {
	for _, f := range floors {
		if err := f.Prepare(ctx, r.texts, string(channel), 0, count); err != nil {
			return side{}, err
		}
	}
	n := 0
	return side{groups: groups, sockets: sockets, send: func(ctx context.Context) (int64, error) {
		if n >= count {
			return 0, fmt.Errorf("message %d of %d that were prepared", n, count)
		}
		g, ctx := errgroup.WithContext(ctx)
		starts := make([]int64, len(floors))
		for i, f := range floors {
			g.Go(func() (err error) {
				starts[i], _, err = f.Write(ctx, n, 1, 1)
				return err
			})
		}
		err := g.Wait()
		n++
		return slices.Min(starts), err
	}}, nil
}
