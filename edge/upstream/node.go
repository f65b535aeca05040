package upstream

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"selvedge/wire"
	"selvedge/wire/link"
)

const (
	// dialTimeout bounds one try: three round trips of the longest ocean.
	dialTimeout = 5 * time.Second
	// The pause between tries doubles from minBackoff to maxBackoff. It starts
	// anew after a link that lived that long: one that is made and broken at
	// once is no success.
	minBackoff = 100 * time.Millisecond
	maxBackoff = 2 * time.Second
	// A core whose link was lost (not: that has stopped) must hold the next one for minSettle before logs
	// are taken back for it; after each further loss twice as long, up to calm. A
	// link that lived for calm is a good one.
	minSettle = time.Second
	calm      = time.Minute
	// epochGrace is how long an epoch that was left is not believed: cores that
	// have yet to agree still tell it.
	epochGrace = 30 * time.Second
)

// node is a core that gossip knows, or that there is a link to.
type node struct {
	name string // fixed

	// Guarded by Upstream.mu.
	target  Target
	listed  bool // gossip knows it now
	near    int  // its place among the targets
	running bool // a goroutine dials it, or serves its link
	dialing time.Time
	s       *session // nil while there is no link

	failures int           // in a row: dials that failed, links that didn't live long
	retry    time.Time     // not dialled before
	settle   time.Duration // what the next link must live for logs to be taken back
	told     string        // the last trouble logged, so that it is logged once
	refused  time.Time     // when it last could not append
}

// keep makes one link to a core, serves it until it ends, and says when to try
// again.
func (u *Upstream) keep(ctx context.Context, n *node, t Target) {
	s := &session{u: u, n: n, region: t.Region, kick: make(chan struct{}, 1), gone: make(chan struct{})}
	err := u.dial(ctx, s, t)
	if err == nil {
		err = u.admit(s)
	}
	if err == nil {
		u.cfg.Logger.Info("linked", "to", t.Node, "addr", t.Addr, "epoch", s.l.Epoch)
		if !t.Relay {
			u.cfg.Sink.Linked(t.Node)
		}
		u.look()
		err = s.serve(ctx)
		if asked := u.ended(s); !asked && ctx.Err() == nil {
			u.cfg.Sink.Unlinked(t.Node, err)
		}
	} else {
		if s.l != nil {
			s.l.Close()
		}
		if ctx.Err() == nil {
			u.trouble(n, err)
		}
	}
	u.mu.Lock()
	n.running, n.dialing = false, time.Time{}
	if s.asked || !s.up.IsZero() && time.Since(s.up) > maxBackoff {
		n.failures = 0
	}
	pause := min(minBackoff<<min(n.failures, 10), maxBackoff)
	n.retry = time.Now().Add(pause/2 + rand.N(pause/2))
	if !s.asked {
		n.failures++
	}
	u.mu.Unlock()
	u.look()
}

func (u *Upstream) dial(ctx context.Context, s *session, t Target) (err error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	addr, err := net.ResolveUDPAddr("udp", t.Addr)
	if err != nil {
		return err
	}
	cfg := link.DialConfig{
		TLS: u.cfg.TLS, Node: u.cfg.Node, Region: u.cfg.Region, Peer: t.Node, Relay: t.Relay, Receiver: s, Status: u.cfg.Status, Ends: s.ends,
	}
	if u.cfg.Ordered != nil {
		cfg.Ordered = func(o link.Order) { u.cfg.Ordered(t.Node, o) }
	}
	s.l, err = link.Dial(ctx, u.cfg.Transport, addr, cfg)
	return err
}

// admit takes a new link in. One with another epoch than the one that is followed
// is refused, unless its core decides: then everything starts afresh.
func (u *Upstream) admit(s *session) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.changing:
		return errors.New("the logs are changing")
	case s.l.Epoch == u.epoch && s.l.Logs == u.count:
		u.admitLocked(s)
		return nil
	case time.Now().Before(u.left[s.l.Epoch]):
		return fmt.Errorf("its epoch is %s, which was left for %s", s.l.Epoch, u.epoch)
	case !u.decidesLocked(s.n):
		return fmt.Errorf("its epoch is %s, this edge follows %s, and the core of the state log does not say otherwise", s.l.Epoch, u.epoch)
	}
	u.changing = true
	old := u.sessionsLocked()
	for _, o := range old {
		o.asked = true
	}
	u.mu.Unlock()
	for _, o := range old {
		o.l.Close()
		<-o.gone
	}
	err := u.cfg.Sink.Begin(s.l.Epoch, s.l.Logs, s.l.Ends)
	u.mu.Lock()
	u.changing = false
	if err == nil {
		if u.epoch != "" {
			u.left[u.epoch] = time.Now().Add(epochGrace)
		}
		delete(u.left, s.l.Epoch)
		u.epoch, u.count = s.l.Epoch, s.l.Logs
		for _, lg := range u.logs {
			clear(lg.shun)
			clear(lg.short)
			lg.silent, lg.end = 0, 0
			if lg.why != Start {
				lg.why = Epoch
			}
		}
		u.admitLocked(s)
	}
	return err
}

// decidesLocked reports whether a core's word on the epoch counts: it is the
// first of the state log's order, but for those that can't be reached.
func (u *Upstream) decidesLocked(by *node) bool {
	for _, n := range u.orderLocked(u.logLocked(wire.StateLog)) {
		switch {
		case n == by:
			return true
		case n.s != nil:
			return false
		case n.running && n.failures == 0 && time.Since(n.dialing) < firstDial:
			return false // it may yet come
		}
	}
	return false // gossip doesn't know it any more
}

// admitLocked makes a link one that logs are placed at.
func (u *Upstream) admitLocked(s *session) {
	s.logs = map[wire.LogID]*followed{wire.StateLog: u.logLocked(wire.StateLog)}
	for p := range u.count {
		s.logs[wire.LogID(p)] = u.logLocked(wire.LogID(p))
	}
	s.up, s.parting = time.Now(), map[wire.LogID]int{}
	s.n.s, s.n.told = s, ""
	u.tellLocked()
}

// ended takes a link out that has ended: nothing more comes over it.
func (u *Upstream) ended(s *session) (asked bool) {
	reached := u.reached()
	u.mu.Lock()
	defer u.mu.Unlock()
	left := s.l.Left()
	why := Lost
	if left {
		why = Left
	}
	for _, lg := range s.logs {
		if lg.heir != nil && lg.heir.s == s && lg.heir.step < taking {
			lg.dropStandbyLocked()
		}
		if lg.at == s {
			lg.lostLocked(why)
			u.rescueLocked(lg, reached[lg.p])
		}
	}
	n := s.n
	n.s = nil
	if !s.asked && !left {
		if time.Since(s.up) > calm {
			n.settle = 0
		}
		n.settle = min(max(2*n.settle, minSettle), calm)
	}
	close(s.gone)
	return s.asked
}
