package gossip

import (
	"fmt"
	"time"
)

// Timing says how fast failures are found. The zero value is right for up to some
// hundred nodes in regions up to 400 ms apart; every node should have the same.
//
// A crash is known everywhere after
//
//	until somebody probes it   ~Probe
//	+ the probe fails          Probe
//	+ it is under suspicion    SuspicionProbes * Probe * max(1, log10 nodes)
//
// the latter with one probe less from 64 nodes on. When somebody probes it is chance.
// In twenty regions all over the world (in simulation, see TestCrashesAmongMany):
//
//	nodes  crashes  half within  90 %    99 %    over 5 s
//	   16      200        2.8 s  3.6 s   4.7 s   none
//	  100      150        3.2 s  4.0 s   5.3 s   3
//
// With all of the suspicion 16 of those 150 took over 5 s. memberlist's own defaults
// take 6 to 10 s or, between regions, a minute. A node that merely stalls has all of
// the suspicion to deny it: a stall of 1 s is hardly ever taken for a death, and if
// so for a moment (TestStallIsNoCrash). Lost packets are no deaths: of 64 nodes in
// these regions none was taken for dead in five minutes with one packet in twenty
// lost, nor of 100.
type Timing struct {
	// Probe is how often this node probes another one, and how long it waits for
	// the answer, by a detour over other nodes too. It must be more than the longest
	// round trip (350 ms, between regions). Zero is 500 ms.
	Probe time.Duration
	// Direct is how much of Probe it waits before it tries the detour as well. What it
	// waits longer, the detour lacks: nodes that are up to half of the rest apart are
	// not suspected because of a lost packet. Zero is two fifths: 200 ms.
	Direct time.Duration
	// SuspicionProbes is how many times Probe a node that doesn't answer is under
	// suspicion before it is taken for dead. Zero is 3.
	SuspicionProbes int
	// Stream is how long each exchange with a node may take; connecting to it, two
	// fifths of that. Zero is 5 s.
	Stream time.Duration
	// Retry is the time between the first attempts to join, or to find nodes that
	// vanished; it doubles up to RetryMax. Zeros are 1 s and 6 s.
	Retry, RetryMax time.Duration
}

func (t Timing) withDefaults() Timing {
	t.Probe = orDefault(t.Probe, 500*time.Millisecond)
	t.Direct = orDefault(t.Direct, t.Probe*2/5)
	t.SuspicionProbes = orDefault(t.SuspicionProbes, 3)
	t.Stream = orDefault(t.Stream, 5*time.Second)
	t.Retry = orDefault(t.Retry, time.Second)
	t.RetryMax = max(t.Retry, orDefault(t.RetryMax, 6*time.Second))
	return t
}

func orDefault[T time.Duration | int](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}

// many is from how many nodes on suspicion is a probe shorter. Its length grows with
// the logarithm of their number; so it is never below that at 16 nodes, 1.8 s.
const many = 64

// suspicion is for how many probes, times that logarithm, a node is suspected.
func (t Timing) suspicion(nodes int) int {
	if nodes < many {
		return t.SuspicionProbes
	}
	return max(t.SuspicionProbes-1, leastSuspicion)
}

// Bounds of Timing.
const (
	leastProbe, mostProbe         = 100 * time.Millisecond, 10 * time.Second
	leastSuspicion, mostSuspicion = 2, 20
)

// Check reports why these can't work, as ErrBadConfig.
func (t Timing) Check() error {
	t = t.withDefaults()
	switch {
	case t.Probe < leastProbe || t.Probe > mostProbe:
		return fmt.Errorf("%w: a probe of %v: use %v to %v", ErrBadConfig, t.Probe, leastProbe, mostProbe)
	case t.Direct <= 0 || t.Direct >= t.Probe:
		return fmt.Errorf("%w: %v of a probe without a detour: use more than 0, and less than the probe's %v", ErrBadConfig, t.Direct, t.Probe)
	case t.SuspicionProbes < leastSuspicion || t.SuspicionProbes > mostSuspicion:
		return fmt.Errorf("%w: %d probes of suspicion: use %d to %d", ErrBadConfig, t.SuspicionProbes, leastSuspicion, mostSuspicion)
	case t.Stream <= 0 || t.Retry <= 0:
		return fmt.Errorf("%w: %v per stream, %v between attempts to join: use more than 0", ErrBadConfig, t.Stream, t.Retry)
	}
	return nil
}
