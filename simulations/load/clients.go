package load

import (
	"context"
	"math"
	"strconv"
	"time"

	"selvedge/simulations/orders"
)

// MaxSockets is how many sockets a process of clients holds, under the usual
// limit of 20,000 files.
const MaxSockets = 19_000

// Clients are the processes that receive. They hold groups of sockets, by name.
// Not safe for concurrent use.
type Clients struct {
	workers orders.Team[order, word]
}

// Group is a set of sockets, one for each of a row of users.
type Group struct {
	Name     string
	URLs     []string // ws or wss; the sockets take turns
	CA       string   // file of the certificate that wss servers prove themselves with
	User     string   // what the users' ids begin with; their number follows
	First    int      // number of the first user
	Sockets  int
	InFlight int // how many may be between connection and welcome at once
	// Retries is how often a socket that is not welcome tries again, at the same
	// server, after pauses that grow; each socket by itself. 0 = one failure ends all.
	// Not for wss.
	Retries int
}

// UserID is the id of user n of those whose ids begin with prefix.
func UserID(prefix string, n int) string { return prefix + strconv.Itoa(n) }

// Connected is what it took to connect a group.
type Connected struct {
	Took    time.Duration   // from the first socket's beginning to the last's welcome
	Times   []time.Duration // of each socket, from its beginning to its welcome
	At      []int64         // the moment of each welcome (Now), in the order of Times
	Welcome int             // bytes of a welcome's payload
}

// Round is what a group received since Expect.
type Round struct {
	Complete bool  // all that was expected
	Frames   int64 // received
	Bytes    int64 // of these frames
	Last     int64 // Now, at the last receipt; 0 = incomplete
	// Receipts of a round that was begun with timing, by moment.
	Receipts Receipts
}

// Spawn starts processes: `binary args...`, each of which must call
// ServeClients. Close them, also after an error.
func Spawn(binary string, processes int, args ...string) (*Clients, error) {
	workers, err := orders.StartTeam[order, word](processes, binary, args...)
	return &Clients{workers}, err
}

// Close ends the processes.
func (c *Clients) Close() error { return c.workers.Stop() }

// PIDs are the processes.
func (c *Clients) PIDs() []int {
	var pids []int
	for _, w := range c.workers {
		pids = append(pids, w.PID())
	}
	return pids
}

// Sign makes the tokens of a group that is connected next, so that this isn't
// part of what is measured.
func (c *Clients) Sign(ctx context.Context, g Group) error {
	_, err := c.workers.Each(ctx, func(i int) order {
		first, n := c.share(i, g.Sockets)
		return order{Do: "sign", Group: g.Name, User: g.User, First: g.First + first, Count: n}
	})
	return err
}

// Connect makes a group that was signed: every socket connected and welcome, or
// an error.
func (c *Clients) Connect(ctx context.Context, g Group) (Connected, error) {
	words, err := c.workers.Each(ctx, func(int) order {
		return order{Do: "connect", Group: g.Name, URLs: g.URLs, CA: g.CA, InFlight: max(g.InFlight/len(c.workers), 1), Retries: g.Retries}
	})
	if err != nil {
		return Connected{}, err
	}
	var done Connected
	start, end := int64(math.MaxInt64), int64(0)
	for _, w := range words {
		start, end = min(start, w.Start), max(end, w.End)
		done.Welcome = max(done.Welcome, w.Welcome)
		for _, ns := range w.Nanos {
			done.Times = append(done.Times, time.Duration(ns))
		}
		done.At = append(done.At, w.At...)
	}
	done.Took = time.Duration(end - start)
	return done, nil
}

// share is the part of n sockets that worker i has: from the first one on.
func (c *Clients) share(i, n int) (first, count int) {
	first = n * i / len(c.workers)
	return first, n*(i+1)/len(c.workers) - first
}

// Expect begins a round: each socket of a group of this many is to get frames
// messages.
func (c *Clients) Expect(ctx context.Context, group string, sockets, frames int) error {
	_, err := c.workers.Each(ctx, func(i int) order {
		_, n := c.share(i, sockets)
		return order{Do: "expect", Group: group, Frames: int64(n) * int64(frames)}
	})
	return err
}

// ExpectTimed begins a round in which each receipt is timed. Each process asks
// how many messages all of its sockets together are to get: those from number
// first in their group on, of this many in all. That may be none.
func (c *Clients) ExpectTimed(ctx context.Context, group string, sockets int, frames func(first, count int) int) error {
	_, err := c.workers.Each(ctx, func(i int) order {
		return order{Do: "expect", Group: group, Frames: int64(frames(c.share(i, sockets))), Timed: true}
	})
	return err
}

// Await ends a round: when all has come, or nothing came for as long as patience.
func (c *Clients) Await(ctx context.Context, group string, patience time.Duration) (Round, error) {
	words, err := c.workers.Each(ctx, func(int) order { return order{Do: "await", Group: group, Millis: patience.Milliseconds()} })
	r := Round{Complete: true}
	for _, w := range words {
		r.Complete = r.Complete && w.Complete
		r.Frames += w.Frames
		r.Bytes += w.Bytes
		r.Last = max(r.Last, w.End)
		r.Receipts = r.Receipts.plus(w.Receipts)
	}
	if !r.Complete {
		r.Last = 0
	}
	return r, err
}

// Stats is what happened at a group's sockets so far.
func (c *Clients) Stats(ctx context.Context, group string) (Stats, error) {
	words, err := c.workers.Each(ctx, func(int) order { return order{Do: "stats", Group: group} })
	var all Stats
	for _, w := range words {
		all.add(w.Stats)
	}
	return all, err
}

// Drop closes a group's sockets.
func (c *Clients) Drop(ctx context.Context, group string) error {
	_, err := c.workers.Each(ctx, func(int) order { return order{Do: "drop", Group: group} })
	return err
}
