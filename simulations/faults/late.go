package faults

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"selvedge/simulations/fleet"
	"selvedge/wire"
)

// lateFrames is what a topic has before anyone subscribes to it.
const lateFrames = 200

var lateChannel = scenario{
	name:  "late",
	fault: "live sockets subscribe to topics from their beginning, and are cut in the midst of back frames, while the logs run",
	must:  "everything of the topic, once and in order, and so of the members' rooms",
	run: func(ctx context.Context, r *run) error {
		c := crowd{rooms: 6, members: 6, perMember: 2}
		if err := r.gather(ctx, fleet.Config{Regions: []string{"us-east", "eu-west"}, CoreFlags: []string{"--logs", "2"}}, c); err != nil {
			return err
		}
		chs := []wire.Channel{"topic:a", "topic:b"}
		for i := range c.rooms {
			chs = append(chs, roomChannel(i))
		}
		r.publishTo(ctx, chs, min(r.Rate, 4000), 500, r.fleet.Core.URL)
		if _, err := r.taken(ctx, callTime, lateFrames*len(chs)); err != nil {
			return err
		}
		var asking errgroup.Group
		var since wire.Seq
		for i, m := range r.members {
			for _, ch := range chs[:2] {
				r.book.Expect(m.user, ch)
			}
			// A few frames of the topics, somewhere in the midst.
			m.cutAt.Store(m.had.Load() + int64(30*(i+1)))
			for _, ch := range chs[:2] {
				asking.Go(func() error {
					_, err := m.client.Subscribe(ctx, ch, &since)
					return err
				})
			}
		}
		if err := asking.Wait(); err != nil {
			return err
		}
		if err := r.allResumed(ctx); err != nil { // every one was cut
			return err
		}
		r.load.stop()
		if err := r.settle(ctx); err != nil {
			return err
		}
		return r.noneAfresh()
	},
}

var joins = scenario{
	name:  "joins",
	fault: "users are made members of rooms in the very moment in which their sockets begin, and publishes follow at once",
	must:  "a member gets everything that is published after its join was acknowledged, once and in order, and nothing from before",
	run: func(ctx context.Context, r *run) error {
		if err := r.start(ctx, fleet.Config{Regions: []string{"us-east", "eu-west"}}); err != nil {
			return err
		}
		if err := r.populate(ctx, crowd{rooms: joiners, members: 0}); err != nil {
			return err
		}
		r.publish(ctx, joiners, min(r.Rate, 1000), 100, r.fleet.Core.URL)
		memberCtx, cancel := context.WithCancel(ctx)
		r.ending = cancel
		var joining errgroup.Group
		for i := range joiners {
			m, err := newMember(r.account(), &r.delivered, userID(i), turned(r.fleet.EdgeURLs(), i), r.roams)
			if err != nil {
				return err
			}
			r.members = append(r.members, m)
			r.running.Go(func() { m.run(memberCtx) })
			joining.Go(func() error {
				// From before the edge asks for the user until it has answered.
				if err := pause(ctx, time.Duration(i%20)*time.Millisecond); err != nil {
					return err
				}
				return r.join(ctx, m, i)
			})
			if i%20 == 19 {
				if err := r.welcomed(ctx); err != nil {
					return err
				}
			}
		}
		if err := joining.Wait(); err != nil {
			return err
		}
		if _, err := r.taken(ctx, callTime, 10*joiners); err != nil {
			return err
		}
		r.load.stop()
		return r.settle(ctx)
	},
}

// joiners is how many users join a room of their own.
const joiners = 100

// join makes m a member of room i.
func (r *run) join(ctx context.Context, m *member, i int) error {
	r.book.Joining(m.user, roomChannel(i))
	done, err := r.api.ChangeMembers(ctx, roomID(i), []wire.UserID{wire.UserID(m.user)}, nil)
	if err == nil && done.Added != 1 {
		err = fmt.Errorf("%s did not join %s", m.user, roomID(i))
	}
	if err != nil {
		return err
	}
	r.book.Joined(m.user, roomChannel(i))
	return nil
}
