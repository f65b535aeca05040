package netsim

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Fault is something that goes wrong. It is plain data: it can be drawn from a
// seed, printed, and had again.
type Fault struct {
	At  time.Duration // since the network was made; past = now
	For time.Duration // how long it holds; 0 = until Calm
	// Hosts are those that it is about. Where it is about links: those between
	// one of Hosts and one of Others, both ways; no Others = everybody else.
	Hosts, Others []Host

	// Cut lets nothing through.
	Cut bool
	// Worse is added to the links' paths.
	Worse Path
	// Stall makes Hosts neither answer nor die: what they send, and what comes
	// for them, waits until it ends.
	Stall bool
	// Kill makes the sockets of Hosts vanish without a word. With For they may
	// be used again after that time, by new sockets.
	Kill bool
}

func (f *Fault) String() string {
	var out strings.Builder
	_, _ = fmt.Fprintf(&out, "at %v", f.At) // a Builder takes all
	if f.For > 0 {
		_, _ = fmt.Fprintf(&out, " for %v", f.For)
	}
	what := f.Worse.String()
	switch {
	case f.Kill:
		what = "kill"
	case f.Stall:
		what = "stall"
	case f.Cut:
		what = "cut"
	}
	_, _ = fmt.Fprintf(&out, ": %s %v", what, f.Hosts)
	if f.Others != nil {
		_, _ = fmt.Fprintf(&out, " - %v", f.Others)
	}
	return out.String()
}

// hits reports whether f is about a link.
func (f *Fault) hits(l *link) bool {
	in := func(hosts []Host, h *host) bool { return slices.Contains(hosts, h.id) }
	other := func(h *host) bool {
		if f.Others == nil {
			return !in(f.Hosts, h)
		}
		return in(f.Others, h)
	}
	return in(f.Hosts, l.from) && other(l.to) || in(f.Hosts, l.to) && other(l.from)
}

// Inject makes faults happen, each at its time.
func (n *Network) Inject(faults ...Fault) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, f := range faults {
		at := max(n.start.Add(f.At).UnixNano(), time.Now().UnixNano())
		n.events.add(at, 0, func() { n.beginLocked(&f) })
	}
	n.kickLocked()
}

func (n *Network) beginLocked(f *Fault) {
	if n.calm {
		return
	}
	n.faults = append(n.faults, f)
	n.hostsLocked(f, func(h *host) {
		if f.Stall {
			h.stalls++
		}
		if f.Kill {
			n.killLocked(h)
		}
	})
	if f.For > 0 {
		n.events.add(time.Now().Add(f.For).UnixNano(), 0, func() { n.endLocked(f) })
	}
}

func (n *Network) endLocked(f *Fault) {
	i := slices.Index(n.faults, f)
	if i < 0 {
		return // Calm was faster
	}
	n.faults = slices.Delete(n.faults, i, i+1)
	n.hostsLocked(f, func(h *host) {
		if f.Kill && f.For > 0 {
			h.dead = false
		}
		if f.Stall {
			h.stalls--
			n.releaseLocked(h)
		}
	})
}

func (n *Network) hostsLocked(f *Fault, do func(*host)) {
	for _, id := range f.Hosts {
		do(n.hostLocked(id))
	}
}

// releaseLocked lets what waited for a host's stall go on.
func (n *Network) releaseLocked(h *host) {
	if h.stalls > 0 {
		return
	}
	held := h.held
	h.held, h.waiting = nil, 0
	for _, do := range held {
		do()
	}
}

// Calm ends all faults but kills that have no end, and lets none begin any
// more.
func (n *Network) Calm() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.calm = true
	now := time.Now().UnixNano()
	for _, f := range n.faults {
		n.events.add(now, 0, func() { n.endLocked(f) })
	}
	n.kickLocked()
}

// pathLocked is what a link is like at present.
func (n *Network) pathLocked(l *link) (path Path, cut bool) {
	path = l.path
	for _, f := range n.faults {
		if !f.Stall && !f.Kill && f.hits(l) {
			path = path.plus(f.Worse)
			cut = cut || f.Cut
		}
	}
	return path, cut
}

// Kill makes all sockets of a host vanish without a word, now. Revive lets it
// open new ones.
func (n *Network) Kill(id Host) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.killLocked(n.hostLocked(id))
}

// Revive makes a host that was killed usable again.
func (n *Network) Revive(id Host) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hostLocked(id).dead = false
}

func (n *Network) killLocked(h *host) {
	h.dead = true
	h.held, h.waiting = nil, 0
	for s := range h.sockets {
		s.dieLocked()
	}
	clear(h.sockets)
}
