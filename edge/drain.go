package edge

import (
	"context"
	"time"

	"selvedge/wire"
)

const (
	// drainLook paces the look at whether all clients have gone, and drainNews the
	// log's lines about it.
	drainLook = 50 * time.Millisecond
	drainNews = 3 * time.Second
	// answerTimeout bounds the wait for what clients have asked already.
	answerTimeout = 2 * time.Second
)

// retire makes the edge one that nobody is sent to: it isn't ready, gossip says
// that it drains, and requests for a socket are refused.
func (n *edgeNode) retire() {
	n.draining.Store(true)
	n.ready.Unmet("drain", "stopping")
	n.tell()
}

// drain asks the clients to go elsewhere, and returns when they have, when the
// time for it is over, or when ctx ends.
func (n *edgeNode) drain(ctx context.Context) {
	n.retire()
	w := n.world.Load()
	if w == nil || n.cfg.Drain <= 0 || w.engine.Sockets() == 0 {
		return
	}
	window := drainWindow(n.cfg.Drain, n.cfg.DrainRate, w.engine.Sockets())
	until := time.Now().Add(window)
	x := &exits{self: n.cfg.Name}
	known := x.look(n.gossip.Snapshot(), n.cfg.Region)
	n.cfg.Logger.Info("draining: clients are asked to move; a second signal stops at once",
		"sockets", w.engine.Sockets(), "others", known, "for", window)
	w.engine.Drain(until, func(session any) []wire.EdgeRef { return x.pick(w.sessions.Team(session)) })
	look, again, news := time.NewTicker(drainLook), time.NewTicker(tick), time.NewTicker(drainNews)
	defer look.Stop()
	defer again.Stop()
	defer news.Stop()
	for w.engine.Sockets() > 0 && time.Now().Before(until) {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		case <-again.C:
			known = x.look(n.gossip.Snapshot(), n.cfg.Region)
		case <-news.C:
			n.cfg.Logger.Info("draining", "sockets", w.engine.Sockets(), "others", known, "left", time.Until(until).Round(time.Second))
		}
	}
	n.cfg.Logger.Info("drained", "sockets", w.engine.Sockets())
}

// drainWindow is how long a drain takes: as long as is wanted, or longer, so that no
// more than rate clients come to other edges in a second; 0 = any number.
func drainWindow(wanted time.Duration, rate, sockets int) time.Duration {
	if rate <= 0 {
		return wanted
	}
	return max(wanted, time.Duration(sockets)*time.Second/time.Duration(rate))
}

// goodbye tells the others, answers what clients have asked already, and closes
// their sockets: they reconnect elsewhere.
func (n *edgeNode) goodbye() {
	n.retire()
	if err := n.gossip.Leave(leaveTimeout); err != nil {
		n.cfg.Logger.Info("left without a goodbye", "err", err) // the others find out
	}
	w := n.world.Load()
	if w == nil {
		return
	}
	w.engine.Deafen()
	await(answerTimeout, func() bool { return w.engine.Deaf() && w.sessions.Idle() })
	w.engine.CloseAll(wire.CloseGoingAway, "going away")
	await(closeTimeout, func() bool { return w.engine.Sockets() == 0 })
}

// await waits until something is so, or a timeout.
func await(timeout time.Duration, so func() bool) {
	end := time.After(timeout)
	t := time.NewTicker(10 * time.Millisecond)
	defer t.Stop()
	for !so() {
		select {
		case <-end:
			return
		case <-t.C:
		}
	}
}
