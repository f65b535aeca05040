package client

import (
	"math/rand/v2"
	"time"
)

const (
	backoffFirst = 100 * time.Millisecond // most cuts are blips, but all clients see them at once
	backoffBase  = 250 * time.Millisecond
	backoffCap   = 15 * time.Second
	// goodSession is how long a session must live for its end to start the
	// backoff anew: an edge that accepts and drops at once is no edge.
	goodSession = 5 * time.Second
	// sameEdge is how many failures in a row an edge that welcomes may be the cause of:
	// after one more the next edge is tried.
	sameEdge = 2
	// penalty is the backoff's step after a close that more haste would repeat.
	penalty = 4
)

// window is the upper bound of the wait after so many failures in a row before
// this one.
func window(failures int) time.Duration {
	if failures == 0 {
		return backoffFirst
	}
	return min(backoffCap, backoffBase<<min(failures-1, 10))
}

// backoff is a wait with full jitter: any moment of the window, so that a
// thousand clients of one dead edge arrive spread.
func backoff(failures int) time.Duration { return rand.N(window(failures)) }
