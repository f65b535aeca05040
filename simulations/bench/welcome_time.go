package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"selvedge/core/client"
	"selvedge/edge"
	"selvedge/internal/config"
	"selvedge/internal/identity"
	"selvedge/internal/node"
	"selvedge/simulations/delay"
	"selvedge/simulations/fleet"
	"selvedge/simulations/load"
	"selvedge/topology/region"
	"selvedge/wire"
)

// times takes the time to the welcome of users in very many rooms.
func (c *WelcomeCommand) times(ctx context.Context, stdio *config.IO, res *Result) error {
	r, err := newRig(ctx, "bench welcome", stdio, 10, c.edgeFlags)
	var warm, busy, cold []float64
	var why, busyWhy string
	size := 0
	if err == nil {
		r.progress("a user in %d rooms", c.Many)
		err = r.crowdRooms(ctx, c.Many)
	}
	if err == nil {
		r.progress("an edge that knows the user")
		warm, size, why, err = r.warmTimes(ctx, c.Samples, 0)
	}
	if err == nil {
		r.progress("an edge that knows the user, in whose rooms something is said")
		busy, _, busyWhy, err = r.warmTimes(ctx, c.Samples, saidBetween)
	}
	if err == nil {
		r.progress("edges that are %v from the core, and do not", c.RTT)
		cold, err = r.coldTimes(ctx, c.Samples, c.RTT)
	}
	if err = r.end(err); err != nil {
		return err
	}
	what := fmt.Sprintf("user in %d rooms, connect to welcome", c.Many)
	res.show(what+", warm edge", "ms", warm...).atMost(warmMillis)
	res.show(fmt.Sprintf("  and %d other rooms have a message between two", saidBetween), "ms", busy...).atMost(warmMillis)
	res.show(fmt.Sprintf("%s, cold edge over %v", what, c.RTT), "ms", cold...).atMost(coldMillis)
	res.note("medians of %d; that welcome has %d bytes; warm: %.1f to %.1f ms, with messages: %.1f to %.1f ms, cold: %.1f to %.1f ms",
		c.Samples, size, slices.Min(warm), slices.Max(warm), slices.Min(busy), slices.Max(busy), slices.Min(cold), slices.Max(cold))
	res.note("sessions that the warm edge asked the core for, by what it did not know: %s; with messages: %s", why, busyWhy)
	return nil
}

// crowdRooms makes rooms with documents and a message each, and a user who is in
// all of them.
func (r *rig) crowdRooms(ctx context.Context, rooms int) error {
	const at = 10_000
	t := team{users: 1, rooms: rooms}
	ids := make([]wire.RoomID, rooms)
	messages := make([]client.Message, rooms)
	for i := range ids {
		ids[i] = roomID(i)
		messages[i] = client.Message{Channel: wire.RoomChannel(ids[i]), From: "u1", Data: wire.Data{0x80}}
	}
	for part := range slices.Chunk(ids, at) {
		docs := map[wire.RoomID]client.Document{}
		for _, id := range part {
			docs[id] = client.Document{Data: t.room(len(docs))}
		}
		if _, err := r.api.PutRooms(ctx, docs); err != nil {
			return err
		}
	}
	user := wire.UserID(load.UserID(userPrefix, 0))
	if _, err := r.api.PutUser(ctx, user, client.Document{Data: t.user(0)}); err != nil {
		return err
	}
	done, err := r.api.ChangeUserRooms(ctx, user, ids, nil)
	if err != nil {
		return err
	}
	if done.Added != rooms {
		return fmt.Errorf("user %s joined %d of %d rooms", user, done.Added, rooms)
	}
	return r.publishAll(ctx, messages)
}

// saidBetween is in how many rooms something is said between two sessions that are
// timed.
const saidBetween = 5

// warmTimes are those of sessions of one user, of whom the edge has a session, with
// messages in so many of its rooms before each. why says what the core was asked for.
func (r *rig) warmTimes(ctx context.Context, n, said int) (millis []float64, size int, why string, err error) {
	base, admin := r.fleet.EdgeURLs()[0], r.fleet.Edges[0].Admin
	first, err := greet(ctx, base, "u0", false)
	if err != nil {
		return nil, 0, "", err
	}
	defer first.close()
	if err := settle(ctx, time.Second); err != nil { // its fills are done
		return nil, 0, "", err
	}
	before, err := scrapeNode(ctx, admin)
	if err != nil {
		return nil, 0, "", err
	}
	for i := range n {
		if err := r.say(ctx, i*said, said); err != nil {
			return nil, 0, "", err
		}
		g, err := greet(ctx, base, "u0", false)
		if err != nil {
			return nil, 0, "", err
		}
		defer g.close()
		millis, size = append(millis, float64(g.took)/1e6), g.plain
	}
	after, err := scrapeNode(ctx, admin)
	return millis, size, askedFor(after.since(before)), err
}

// say has n rooms, from the first on, have a message, and lets it come to the edge.
func (r *rig) say(ctx context.Context, first, n int) error {
	if n == 0 {
		return nil
	}
	var messages []client.Message
	for i := range n {
		messages = append(messages, client.Message{Channel: wire.RoomChannel(roomID(first + i)), From: "u1", Data: wire.Data{0x80}})
	}
	return errors.Join(r.publishAll(ctx, messages), settle(ctx, quiet))
}

// askedFor is why an edge asked the core for welcomes, with how often.
func askedFor(grown scrape) string {
	var whys []string
	for name, n := range grown {
		if label, is := strings.CutPrefix(name, `selvedge_edge_welcomes_asked_total{reason="`); is && n > 0 {
			whys = append(whys, fmt.Sprintf("%s %.0f", strings.TrimSuffix(label, `"}`), n))
		}
	}
	if len(whys) == 0 {
		return "none"
	}
	slices.Sort(whys)
	return strings.Join(whys, ", ")
}

// coldTimes are those of the first session of edges that are far from the core: of
// the user's rooms they know nothing either.
func (r *rig) coldTimes(ctx context.Context, n int, rtt time.Duration) (millis []float64, err error) {
	for i := range n {
		took, err := r.coldTime(ctx, fmt.Sprintf("edge-far-%d", i+1), rtt)
		if err != nil {
			return nil, err
		}
		millis = append(millis, float64(took)/1e6)
	}
	return millis, nil
}

func (r *rig) coldTime(ctx context.Context, name string, rtt time.Duration) (took time.Duration, err error) {
	ctx, stop := context.WithCancel(ctx)
	base, ended, err := farEdge(ctx, name, r.fleet.Core.Gossip, rtt)
	defer func() {
		stop()
		err = errors.Join(err, <-ended)
	}()
	if err != nil {
		return 0, err
	}
	g, err := greet(ctx, base, wire.UserID(load.UserID(userPrefix, 0)), false)
	if err != nil {
		return 0, err
	}
	g.close()
	return g.took, nil
}

// farEdge runs an edge in this process until ctx ends, with a link that takes rtt
// to the core and back, and waits until it is fit for traffic. ended receives once,
// when it has ended.
func farEdge(ctx context.Context, name, seed string, rtt time.Duration) (base string, ended <-chan error, err error) {
	done := make(chan error, 1)
	addrs, err := fleet.FreeAddrs(4)
	if err != nil {
		done <- nil
		return "", done, err
	}
	id, err := identity.DevNode("edge", name)
	if err != nil {
		done <- nil
		return "", done, err
	}
	place, _ := region.Lookup(place)
	cfg := edge.Config{
		Name: name, Region: place, Keys: node.Keys{Identity: id, Gossip: identity.DevGossipKey()}, Tokens: identity.DevTokens(), Seeds: []string{seed},
		Build: config.ReadBuild(), Logger: slog.New(slog.DiscardHandler),
		PublicAddr: addrs[0], LinkAddr: addrs[1], GossipAddr: addrs[2], AdminAddr: addrs[3],
		Reachable: func(bound net.Addr) (string, error) { return bound.String(), nil },
		Transport: edge.DefaultTransport(), Compression: true, CacheBytes: 64 << 20, Ping: 25 * time.Second,
		WrapLink: func(pc net.PacketConn) net.PacketConn {
			return delay.Wrap(pc, func(net.Addr) time.Duration { return rtt / 2 })
		},
	}
	go func() { done <- edge.Run(ctx, cfg) }()
	wait, cancel := context.WithTimeout(ctx, greetTime)
	defer cancel()
	base = "http://" + addrs[0]
	for !fleet.Ready(wait, base) {
		select {
		case err := <-done:
			done <- nil
			return "", done, errors.Join(errors.New("the far edge ended at its start"), err)
		case <-wait.Done():
			return "", done, errors.New("the far edge was not ready in time")
		case <-time.After(20 * time.Millisecond):
		}
	}
	return base, done, nil
}
