package steer

import (
	"errors"
	"syscall"
	"time"

	"selvedge/core/client"
	"selvedge/topology"
)

const (
	// absences is how many answers in a row must not say that the node drains for it to
	// have left: a core that is asked in place of another may know a little less.
	absences = 2
	// silence is how long no core may answer before what became of the node is not known.
	silence = 15 * time.Second
)

// outcome is what became of a node that was told to drain.
type outcome int

const (
	waiting  outcome = iota
	left             // it is not there any more
	returned         // it has left, and one of its name has begun since
	lost             // no core tells
)

// watch follows a node that drains through what cores tell. It has no clock and does
// no I/O.
type watch struct {
	// Fixed.
	node topology.NodeID
	role topology.Role

	heard  time.Time // when a core answered last, or the start
	absent int       // looks in a row that did not show it draining
	open   int       // sockets of an edge, logs that edges take from a core; -1 = no core that was asked knows
	most   int       // that open ever was
}

func newWatch(d client.Draining, now time.Time) *watch {
	return &watch{node: d.Node, role: d.Role, heard: now, open: -1}
}

// answered takes what a core tells.
func (w *watch) answered(now time.Time, c *client.Cluster) outcome {
	w.heard = now
	w.count(c)
	there := false
	for _, n := range c.Nodes {
		if n.ID == w.node {
			if there = true; n.State == topology.StateDraining {
				w.absent = 0
				return waiting
			}
		}
	}
	w.absent++
	switch {
	case w.absent < absences:
		return waiting
	case there:
		return returned
	}
	return left
}

// failed takes that no core has answered, for a reason of one of them.
func (w *watch) failed(now time.Time, err error) outcome {
	if w.role == topology.RoleCore && errors.Is(err, syscall.ECONNREFUSED) { // it was the only one that is asked
		if w.absent++; w.absent >= absences {
			return left
		}
		return waiting
	}
	if now.Sub(w.heard) > silence {
		return lost
	}
	return waiting
}

// count looks how much the node has left to hand over.
func (w *watch) count(c *client.Cluster) {
	open, uptime := -1, -1.0
	for _, l := range c.Links {
		switch {
		case w.role == topology.RoleEdge && l.Node == w.node && l.Uptime > uptime:
			if uptime = l.Uptime; uptime > 0 { // it has told
				open = l.Sockets
			}
		case w.role == topology.RoleCore && c.Core == w.node:
			open = max(open, 0) + len(l.Logs)
			if l.State {
				open++
			}
		}
	}
	if w.role == topology.RoleCore && c.Core == w.node {
		open = max(open, 0)
	}
	if open >= 0 {
		w.open, w.most = open, max(w.most, open)
	}
}

// what open counts.
func (w *watch) what() string {
	if w.role == topology.RoleCore {
		return "logs"
	}
	return "sockets"
}
