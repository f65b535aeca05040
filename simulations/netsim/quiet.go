package netsim

import "time"

// Way is what the way from one host to another is like now: how long a packet
// takes, but for jitter, and whether one that is sent now arrives without
// waiting, but for chance. From a host to itself it is open while the host lives
// and does not stall.
func (n *Network) Way(from, to Host) (takes time.Duration, open bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.linkLocked(from, to)
	path, cut := n.pathLocked(l)
	fit := func(h *host) bool { return !h.dead && h.stalls == 0 }
	return path.Delay, (!cut || from == to) && fit(l.from) && fit(l.to)
}

// Quiet calls f at a moment when all other goroutines of the bubble wait: what
// they keep on disk is as a killed process would leave it. f must neither wait
// for them nor call the network.
func (n *Network) Quiet(f func()) {
	done := make(chan struct{})
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return
	}
	n.quiet = append(n.quiet, func() {
		f()
		close(done)
	})
	n.kickLocked()
	n.mu.Unlock()
	<-done
}

// Crash kills a host as Kill does, at a moment as Quiet's, right after f.
func (n *Network) Crash(id Host, f func()) {
	n.Quiet(func() {
		f()
		n.killLocked(n.hostLocked(id)) // the wire has the lock
	})
}

// quietLocked calls what waits for such a moment.
func (n *Network) quietLocked() {
	all := n.quiet
	n.quiet = nil
	for _, f := range all {
		f()
	}
}
