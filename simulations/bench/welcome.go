package bench

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"selvedge/core/client"
	"selvedge/edge/websocket"
	"selvedge/internal/config"
	"selvedge/simulations/load"
	"selvedge/wire"
)

// WelcomeCommand is `selvedge bench welcome`.
type WelcomeCommand struct {
	Users   []int         `help:"Sizes of the team, each measured by itself." default:"32000,1500"`
	Rooms   int           `help:"Rooms of the team." default:"4000"`
	PerUser int           `help:"Rooms that each user is in." default:"100"`
	Members int           `help:"How many of the users join their rooms, for the counts in the welcome; 0 = all." default:"0"`
	Many    int           `help:"Rooms of the user whose time to welcome is taken." default:"10000"`
	Samples int           `help:"Sessions that are timed, warm and cold." default:"9"`
	RTT     time.Duration `help:"Round trip between the core and the edges that are cold." default:"80ms" name:"rtt"`
	edgeFlags
	Quick bool   `help:"A small team, for a look."`
	JSON  string `help:"Write the result to this file, too." placeholder:"FILE" name:"json"`
}

// Help teaches the command.
func (*WelcomeCommand) Help() string {
	return `What a client has to read before it shows something. A team, the same one in every run: users with documents of 400 bytes of
msgpack, rooms with 300, of sizes as real ones have. It is loaded into a core, and one user connects to an edge: the bytes of its
welcome against the full snapshot, which is all users, all rooms and the user's memberships, in the same codec, with and without the
same compression.

Then a user in very many rooms: the time from the beginning of the connection to the whole welcome, at an edge that has a session of
the user already (warm), at rest and while something is said in other rooms of the user, and at new ones that a round trip of 80 ms parts from
the core (cold).

  selvedge bench welcome
  selvedge bench welcome --users 1500 --members 200`
}

// Run measures, and prints a table.
func (c *WelcomeCommand) Run(ctx context.Context, stdio *config.IO) error {
	res, err := c.measure(ctx, stdio)
	if err != nil {
		return fmt.Errorf("bench welcome: %w", err)
	}
	return res.finish(stdio.Stdout, c.JSON)
}

// The goals.
const (
	largeTeam  = 32_000
	largeRatio = 100
	smallRatio = 20
	warmMillis = 20
	coldMillis = 400
)

func (c *WelcomeCommand) measure(ctx context.Context, stdio *config.IO) (*Result, error) {
	if c.Quick {
		for i := range c.Users {
			c.Users[i] = max(c.Users[i]/20, 1)
		}
		c.Rooms, c.Many, c.Samples = min(c.Rooms, 300), min(c.Many, 1000), min(c.Samples, 3)
	}
	if len(c.Users) == 0 || slices.Min(c.Users) < 1 || c.PerUser < 1 || c.Rooms < c.PerUser || c.Many < 1 || c.Samples < 1 || c.Members < 0 || c.RTT < 0 {
		return nil, config.Usagef("every number must be positive, and --per-user can't be more than --rooms")
	}
	if c.TLS {
		return nil, config.Usagef("--tls is not measured here")
	}
	res := newResult("bench welcome", c, c.Quick)
	for _, users := range c.Users {
		if err := c.size(ctx, stdio, res, team{users, c.Rooms, c.PerUser}); err != nil {
			return nil, err
		}
	}
	if err := c.times(ctx, stdio, res); err != nil {
		return nil, err
	}
	res.note("the full snapshot is every user's document of %d B, every room of %d B and the user's memberships, encoded as a welcome has them", userBytes, roomBytes)
	res.note("compressed: permessage-deflate as the edge does it, of a message by itself")
	return res, nil
}

// size measures one team.
func (c *WelcomeCommand) size(ctx context.Context, stdio *config.IO, res *Result, t team) error {
	r, err := newRig(ctx, "bench welcome", stdio, 10, c.edgeFlags)
	var plain, small *greeted
	joined := t.users
	if c.Members > 0 {
		joined = min(joined, c.Members)
	}
	if err == nil {
		r.progress("a team of %d users and %d rooms, of %d of which each of %d users is a member", t.users, t.rooms, t.perUser, joined)
		err = r.settleTeam(ctx, t, joined)
	}
	if err == nil {
		plain, err = greet(ctx, r.fleet.EdgeURLs()[0], "u0", false)
	}
	if err == nil {
		plain.close()
		small, err = greet(ctx, r.fleet.EdgeURLs()[0], "u0", true)
	}
	if err == nil {
		small.close()
		err = t.check(&plain.welcome, 0)
	}
	if err = r.end(err); err != nil {
		return err
	}
	full := t.snapshot(0)
	deflated, _ := websocket.AppendDeflated(nil, full)
	goal := float64(smallRatio)
	if t.users >= largeTeam {
		goal = largeRatio
	}
	what := fmt.Sprintf("welcome in a team of %d users, member of %d of %d rooms", t.users, t.perUser, t.rooms)
	res.show(what, "B", float64(plain.size))
	res.show("  the full snapshot", "B", float64(len(full)))
	res.show("  times smaller", "x", float64(len(full))/float64(plain.size)).atLeast(goal)
	res.show("  compressed", "B", float64(small.size))
	res.show("  the full snapshot, compressed", "B", float64(len(deflated)))
	res.show("  times smaller, both compressed", "x", float64(len(deflated))/float64(small.size)).atLeast(goal)
	if joined < t.users {
		res.note("in the team of %d, %d users are members of their rooms", t.users, joined)
	}
	return nil
}

// settleTeam loads a team, of which the first users are in their rooms. Each room
// of the first one has a message.
func (r *rig) settleTeam(ctx context.Context, t team, joined int) error {
	const at = 10_000
	for first := 0; first < t.users; first += at {
		docs := map[wire.UserID]client.Document{}
		for n := first; n < min(first+at, t.users); n++ {
			docs[wire.UserID(load.UserID(userPrefix, n))] = client.Document{Data: t.user(n)}
		}
		if _, err := r.api.PutUsers(ctx, docs); err != nil {
			return err
		}
	}
	docs := map[wire.RoomID]client.Document{}
	for n := range t.rooms {
		docs[roomID(n)] = client.Document{Data: t.room(n)}
	}
	if _, err := r.api.PutRooms(ctx, docs); err != nil {
		return err
	}
	g, joining := errgroup.WithContext(ctx)
	g.SetLimit(populateAtOnce)
	for n, members := range t.members(joined) {
		ids := make([]wire.UserID, len(members))
		for i, u := range members {
			ids[i] = wire.UserID(load.UserID(userPrefix, u))
		}
		g.Go(func() error {
			_, err := r.api.ChangeMembers(joining, roomID(n), ids, nil)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	var messages []client.Message
	for _, n := range t.roomsOf(0) {
		messages = append(messages, client.Message{Channel: wire.RoomChannel(roomID(n)), From: "u1", Data: wire.Data{0x80}})
	}
	return r.publishAll(ctx, messages)
}

// publishAll publishes messages, each of which must be taken.
func (r *rig) publishAll(ctx context.Context, messages []client.Message) error {
	const at = 1000
	for first := 0; first < len(messages); first += at {
		results, err := r.api.PublishBatch(ctx, messages[first:min(first+at, len(messages))])
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

// check reports why a welcome is no usable screen for user n: its document and
// its rooms, each with its document, its members and its last message.
func (t team) check(w *wire.Welcome, n int) error {
	if !bytes.Equal(w.User.Data, t.user(n)) {
		return fmt.Errorf("the welcome has no document of the user, but %s", w.User.Data)
	}
	rooms := t.roomsOf(n)
	if len(w.Rooms) != min(len(rooms), 100) || w.More != (len(rooms) > 100) {
		return fmt.Errorf("the welcome has %d rooms, more: %t; the user is in %d", len(w.Rooms), w.More, len(rooms))
	}
	docs := map[wire.RoomID]wire.Data{}
	for _, room := range rooms {
		docs[roomID(room)] = t.room(room)
	}
	for _, room := range w.Rooms {
		if !bytes.Equal(room.Data, docs[room.ID]) || room.MemberCount < 1 || room.Seq == 0 || room.TS == 0 {
			return fmt.Errorf("room %s of the welcome: %d members, last message %d at %d, %s", room.ID, room.MemberCount, room.Seq, room.TS, room.Data)
		}
	}
	return nil
}
