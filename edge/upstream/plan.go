package upstream

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"selvedge/topology"
	"selvedge/wire"
)

const (
	// lookEvery is how often the planner looks at logs that may have fallen silent.
	lookEvery = time.Second
	// firstDial is how long a log waits for its core to be dialled the first time
	// before it is placed at the next.
	firstDial = time.Second
	// linger is how long a link is kept that carries no log.
	linger = 10 * time.Second
)

// planning is one look at everything.
type planning struct {
	u      *Upstream
	now    time.Time
	next   time.Time // when to look again
	wanted map[*node]bool
	moves  map[[2]*node]int // how many logs leave one for another

	reached map[wire.LogID]wire.Seq // see Upstream.reached
}

func (pl *planning) by(t time.Time) {
	if t.Before(pl.next) {
		pl.next = t
	}
}

// plan places the logs, and starts and ends links. It returns when to look again,
// unless something happens before.
func (u *Upstream) plan(ctx context.Context, now time.Time) time.Duration {
	targets, reached := u.cfg.Targets(), u.reached()
	u.mu.Lock()
	pl := &planning{u: u, now: now, next: now.Add(lookEvery), wanted: map[*node]bool{}, moves: map[[2]*node]int{}, reached: reached}
	u.knowLocked(targets)
	var idle []*session
	if !u.changing {
		pl.log(u.logLocked(wire.StateLog))
		for p := range u.count {
			pl.log(u.logLocked(wire.LogID(p)))
		}
		pl.dialLocked(ctx)
		idle = pl.idleLocked()
	}
	for way, n := range pl.moves {
		u.cfg.Logger.Info("logs move", "from", way[0].name, "to", way[1].name, "logs", n)
	}
	u.mu.Unlock()
	for _, s := range idle {
		u.cfg.Logger.Debug("link not needed any more", "to", s.n.name)
		s.l.Close()
	}
	return pl.next.Sub(now)
}

// knowLocked takes what gossip says of the cores.
func (u *Upstream) knowLocked(targets []Target) {
	for _, n := range u.nodes {
		n.listed = false
	}
	for i, t := range targets {
		n := u.nodes[t.Node]
		if n == nil {
			n = &node{name: t.Node}
			u.nodes[t.Node] = n
		}
		if n.target != t {
			n.retry = time.Time{} // it has come back, perhaps
		}
		n.target, n.near, n.listed = t, i, true
	}
	maps.DeleteFunc(u.nodes, func(_ string, n *node) bool { return !n.listed && !n.running })
	if nobody := len(u.nodes) == 0; nobody != u.nobody {
		u.nobody = nobody
		if nobody {
			u.cfg.Logger.Info("no upstream", "err", errNoCore) // as at every start: gossip takes a moment
		}
	}
}

// orderLocked are the cores that gossip knows, in the order in which they should
// serve a log: ready ones, draining ones, then those that start.
func (u *Upstream) orderLocked(lg *followed) []*node {
	var ids [3][]topology.NodeID
	for name, n := range u.nodes {
		if !n.listed || n.target.Relay {
			continue
		}
		class := 0
		switch n.target.State {
		case topology.StateReady:
		case topology.StateDraining:
			class = 1
		case topology.StateStarting:
			class = 2
		}
		ids[class] = append(ids[class], topology.NodeID(name))
	}
	var out []*node
	for _, class := range ids {
		for _, id := range topology.Serving(lg.number(), class) {
			out = append(out, u.nodes[string(id)])
		}
	}
	return out
}

// log places one log, or moves it to where it belongs.
func (pl *planning) log(lg *followed) {
	u := pl.u
	order := u.orderLocked(lg)
	if lg.phase == open {
		pl.listen(lg, order)
	}
	if lg.phase == placed && u.now()-lg.since > openTimeout {
		u.wg.Go(lg.at.l.Close) // it takes nothing: nobody else would notice
	}
	if lg.heir != nil && lg.heir.step == taking {
		pl.wanted[lg.heir.s.n] = true
		return
	}
	if lg.phase == open && lg.at.n.target.Relay {
		if _, shunned := lg.shunnedLocked(lg.at.n.name, pl.now); shunned {
			u.leaveLocked(lg, Silent)
		} else {
			pl.relay(lg)
		}
		return
	}
	best := pl.best(lg, order)
	switch {
	case best == nil || best.s == lg.at:
		pl.relay(lg)
	case lg.phase == idle && best.s.parting[lg.p] > 0:
		return // the end of that has us look again
	case lg.phase == idle:
		u.placeLocked(lg, best.s)
	case lg.phase == open:
		from := lg.at.n
		_, shunned := lg.shunnedLocked(from.name, pl.now)
		if settled := best.s.up.Add(best.settle); !shunned && pl.now.Before(settled) {
			pl.by(settled)
			return
		}
		if !shunned && lg.heir != nil {
			pl.relay(lg) // it moves already
			return
		}
		pl.moves[[2]*node{from, best}]++
		why := Moved
		switch {
		case shunned:
			why = Silent
		case !from.listed:
			why = Gone
		}
		u.leaveLocked(lg, why)
	}
}

// best is the first core of a log's order that is linked and not shunned. Those
// before it are wanted, too. It is nil if there is none, or one is worth a wait.
func (pl *planning) best(lg *followed, order []*node) *node {
	for _, n := range order {
		if until, shunned := lg.shunnedLocked(n.name, pl.now); shunned {
			pl.by(until)
			continue
		}
		pl.wanted[n] = true
		if n.s != nil && !n.s.asked {
			return n
		}
		if lg.phase == idle && n.failures == 0 {
			switch since := n.dialing; {
			case since.IsZero():
				return nil
			case pl.now.Sub(since) < firstDial:
				pl.by(since.Add(firstDial))
				return nil
			}
		}
	}
	return nil
}

// listen shuns the core of a log that has fallen silent, if there is another.
func (pl *planning) listen(lg *followed, order []*node) {
	if time.Duration(lg.water.Load()) > lg.since {
		lg.openedLocked()
	}
	if lg.busy.Load() {
		return // it is we who are slow
	}
	name := lg.at.n.name
	_, shunned := lg.shunnedLocked(name, pl.now)
	quiet := pl.u.now() - time.Duration(lg.heard.Load())
	bound := stallAfter << min(lg.silent, maxSilent)
	if quiet < bound {
		pl.by(pl.now.Add(bound - quiet))
		if shunned {
			delete(lg.shun, name) // it speaks again, before another could take over
		}
		return
	}
	other := func(n *node) bool {
		_, shunned := lg.shunnedLocked(n.name, pl.now)
		return n != lg.at.n && !shunned
	}
	if !shunned && slices.ContainsFunc(order, other) {
		lg.shunLocked(name, pl.now, stallPause)
		lg.silent++
		pl.u.cfg.Logger.Warn("a log is silent", "log", lg.number(), "core", name, "for", quiet)
	}
}

// dialLocked starts the links that are wanted.
func (pl *planning) dialLocked(ctx context.Context) {
	for n := range pl.wanted {
		switch {
		case n.running:
		case pl.now.Before(n.retry):
			pl.by(n.retry)
		default:
			n.running, n.dialing = true, pl.now
			pl.by(pl.now.Add(firstDial)) // logs that wait for it go elsewhere then
			t := n.target
			pl.u.wg.Go(func() { pl.u.keep(ctx, n, t) })
		}
	}
}

// idleLocked are the links that nothing has needed for a while. They count as
// closed by us.
func (pl *planning) idleLocked() (out []*session) {
	busy := map[*session]bool{}
	for _, lg := range pl.u.logs {
		busy[lg.at] = true
	}
	for _, lg := range pl.u.logs {
		if lg.heir != nil {
			busy[lg.heir.s] = true
		}
	}
	for _, s := range pl.u.sessionsLocked() {
		switch {
		case busy[s] || pl.wanted[s.n]:
			s.unneeded = time.Time{}
		case s.unneeded.IsZero():
			s.unneeded = pl.now
			pl.by(pl.now.Add(linger))
		case pl.now.Sub(s.unneeded) >= linger:
			s.asked = true
			out = append(out, s)
		}
	}
	return out
}

// sessionsLocked are the links that are up, nearest core first.
func (u *Upstream) sessionsLocked() []*session {
	var out []*session
	for _, n := range u.nodes {
		if n.s != nil {
			out = append(out, n.s)
		}
	}
	slices.SortFunc(out, func(a, b *session) int {
		return cmp.Or(cmp.Compare(a.n.near, b.n.near), cmp.Compare(a.n.name, b.n.name))
	})
	return out
}

// nearestLocked is the nearest core's link that is up, or nil.
func (u *Upstream) nearestLocked() *session {
	for _, s := range u.sessionsLocked() {
		if !s.asked && !s.n.target.Relay {
			return s
		}
	}
	return nil
}

// trouble logs what keeps a link from a core, once.
func (u *Upstream) trouble(n *node, err error) {
	u.mu.Lock()
	text := err.Error()
	again := n.told == text
	n.told = text
	u.mu.Unlock()
	if !again {
		u.cfg.Logger.Log(context.Background(), slog.LevelWarn, "no upstream", "to", n.name, "err", err)
	}
}
