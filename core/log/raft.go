package log

import (
	"errors"
	"fmt"
	"time"
	_ "unsafe" // for go:linkname
)

// How soon the copies of a log choose another leader. The embedded server stands
// for election when it has heard of no leader for 4 to 9 s, and once more 4 to 9 s
// after an election that two stood for at the same moment and neither won. One such
// election, and publishes stand still for longer than the 10 s that this project
// promises. The server has no option for it: its times are unexported variables,
// so they are set by their names here, each to half of what it is. What the server
// compares with each other stays in proportion: a follower takes a leader for gone
// when it has missed two of its beats at least.
//
// Other numbers of the server that have to do with it stay: pauses before a vote
// that is asked for (0.1 to 0.8 s), and the 2 s after which a copy that catches up
// begins again.
//
// The variables belong to the process: all embedded servers in it have these times.
// A NATS of somebody else has its own. They are set before anything else in this
// package can run, since servers read them without a lock. A version of the server
// without these names makes them variables of ours, with nothing in them: then
// raftTimes says so, and no embedded server starts.

//go:linkname minElectionTimeout github.com/nats-io/nats-server/v2/server.minElectionTimeout
var minElectionTimeout time.Duration

//go:linkname maxElectionTimeout github.com/nats-io/nats-server/v2/server.maxElectionTimeout
var maxElectionTimeout time.Duration

//go:linkname hbInterval github.com/nats-io/nats-server/v2/server.hbInterval
var hbInterval time.Duration

//go:linkname lostQuorumInterval github.com/nats-io/nats-server/v2/server.lostQuorumInterval
var lostQuorumInterval time.Duration

//go:linkname lostQuorumCheck github.com/nats-io/nats-server/v2/server.lostQuorumCheck
var lostQuorumCheck time.Duration

const (
	leastElection = 2 * time.Second // a follower stands for election so long after the last beat
	mostElection  = 4500 * time.Millisecond
	leaderBeat    = 500 * time.Millisecond // a leader without appends beats after once or twice this
	quorumPeriod  = 5 * time.Second        // a leader whom a majority was silent to for so long is none; also how often it looks
)

// errRaftTimes: this package was built with a version of the server that it doesn't
// know.
var errRaftTimes = errors.New("the embedded server's times of elections are not where they were: this build can't run it")

// raftTimes is nil once the times are set.
var raftTimes = setRaftTimes()

// setRaftTimes sets each of the times, if the server's own is what it is known to be.
func setRaftTimes() error {
	for _, v := range []struct {
		at      *time.Duration
		was, is time.Duration
	}{
		{&minElectionTimeout, 4 * time.Second, leastElection},
		{&maxElectionTimeout, 9 * time.Second, mostElection},
		{&hbInterval, time.Second, leaderBeat},
		{&lostQuorumInterval, 10 * time.Second, quorumPeriod},
		{&lostQuorumCheck, 10 * time.Second, quorumPeriod},
	} {
		if *v.at != v.was {
			return fmt.Errorf("%w (%v instead of %v)", errRaftTimes, *v.at, v.was)
		}
		*v.at = v.is
	}
	return nil
}
