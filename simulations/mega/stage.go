package mega

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"selvedge/simulations/load"
)

// Stage is what a measurement is started with.
type Stage struct {
	// Binary is what the nodes, the clients and the floor are processes of; "" = this one.
	Binary string
	Seed   uint64    // of the messages' texts, and of the loops' order
	Stderr io.Writer // of progress; may go unread
	// Patience is how long nothing may come before the rest counts as lost; 0 = 30 s.
	Patience time.Duration
	// Settle is what a fleet is given to come to rest in, once all are there; 0 = 2 s.
	Settle time.Duration
	// Lose has the floor leave out every this many-th write, to see that it is noticed;
	// 0 = none.
	Lose int
}

func (s *Stage) binary() (string, error) {
	if s.Binary != "" {
		return s.Binary, nil
	}
	return os.Executable()
}

func (s *Stage) patience() time.Duration {
	if s.Patience > 0 {
		return s.Patience
	}
	return 30 * time.Second
}

// rested waits until a fleet is at rest.
func (s *Stage) rested(ctx context.Context) error {
	if s.Settle > 0 {
		return settle(ctx, s.Settle)
	}
	return settle(ctx, 2*time.Second)
}

// floorArgs are the command line of a floor.
func (s *Stage) floorArgs() []string {
	return []string{"bench", "floor", "--lose", strconv.Itoa(s.Lose)}
}

// clientArgs are the command line of a process of clients.
func clientArgs() []string { return []string{"bench", "clients", "--loops", "1"} }

func (s *Stage) progress(format string, args ...any) {
	_, _ = fmt.Fprintf(s.Stderr, format+"\n", args...) // may go unread
}

// quiet is the pause after a round: what it left to do is done then, and counted.
const quiet = 200 * time.Millisecond

// settle waits.
func settle(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// workers is how many processes of clients there are for groups of so many sockets
// each: none may have more than its limit.
func workers(groups, perGroup int) int {
	n := max((groups*perGroup+load.MaxSockets-1)/load.MaxSockets, 1)
	for groups*((perGroup+n-1)/n) > load.MaxSockets {
		n++
	}
	return n
}
