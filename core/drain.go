package core

import (
	"context"
	"time"

	"selvedge/topology"
)

// drainLook paces the look at whether the edges have taken their logs elsewhere.
const drainLook = 50 * time.Millisecond

// handOverTime bounds the wait for other cores to lead what this one led.
const handOverTime = 2 * time.Second

// drain makes the core one that gets no new work, waits until no edge takes a log
// from it any more, and hands on what it leads of the logs' copies. It ends when
// there is no other core to take them, after cfg.Drain, or when ctx ends. Requests
// are served meanwhile.
func (n *coreNode) drain(ctx context.Context) {
	n.retire()
	if n.cfg.Drain <= 0 || !n.another() {
		return
	}
	if open := n.openLogs(); open > 0 {
		n.cfg.Logger.Info("draining: the edges take their logs to other cores; a second signal stops at once", "logs", open, "for", n.cfg.Drain)
		timed, cancel := context.WithTimeout(ctx, n.cfg.Drain)
		defer cancel()
		awaitGone(timed, n.openLogs, n.another)
		n.cfg.Logger.Info("drained", "logs", n.openLogs())
	}
	if copies, ok := n.log.(interface{ HandOver(ctx context.Context) }); ok {
		timed, cancel := context.WithTimeout(ctx, handOverTime)
		defer cancel()
		copies.HandOver(timed)
	}
}

// awaitGone waits while something is open and has somewhere else to go.
func awaitGone(ctx context.Context, open func() int, elsewhere func() bool) {
	t := time.NewTicker(drainLook)
	defer t.Stop()
	for open() > 0 && elsewhere() {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// retire makes the core unfit for new work.
func (n *coreNode) retire() {
	n.ready.Unmet("drain", "stopping")
	n.lastCall.leave()
	if err := n.gossip.Update(func(s *topology.Node) { s.State = topology.StateDraining }); err != nil {
		n.cfg.Logger.Debug("gossip update", "err", err)
	}
}

// openLogs counts the logs that edges take from here, of each link.
func (n *coreNode) openLogs() (open int) {
	for _, l := range n.links.Peers() {
		open += l.Logs
	}
	return open
}

// another reports whether there is another core that is fit for work.
func (n *coreNode) another() bool {
	for _, c := range n.gossip.Snapshot().Cores() {
		if c.State == topology.StateReady && string(c.ID) != n.cfg.Name {
			return true
		}
	}
	return false
}

// goodbye tells the others.
func (n *coreNode) goodbye() {
	n.ready.Unmet("drain", "stopping")
	if err := n.gossip.Leave(leaveTimeout); err != nil {
		n.cfg.Logger.Info("left without a goodbye", "err", err) // the others find out
	}
}
