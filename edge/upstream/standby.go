package upstream

import (
	"context"
	"time"

	"selvedge/wire"
	"selvedge/wire/link"
)

// standby is a log's second stream, from the upstream that shall have it next. What
// comes on it waits until it takes over:
//
//  1. It is opened Live, with all interests. A relay asks a core for those that it
//     has not; its marker says from where on it has them all.
//  2. What was wanted and dropped meanwhile follows, and from then on nothing more is
//     asked of the old upstream. A second marker.
//  3. When the old stream has passed that marker's position, it is closed, what was
//     sent is taken, and the new one goes on: what it repeats is known by its place.
//
// So a log that moves is never without a stream, nothing waits, and nothing is asked
// for again. A log whose upstream is gone goes to a core at once instead: that one has
// every record after any position.
type standby struct {
	s     *session // fixed
	since time.Duration

	taken chan struct{} // closed when it is the log's stream
	over  chan struct{} // closed when it won't be

	// Guarded by Upstream.mu.
	step step
	// opened is closed when the message that opens it was sent, or could not be; nil
	// before that was begun.
	opened chan struct{}
	id     uint64   // of the delta whose marker is waited for
	at     wire.Seq // the last marker's position
	// What was wanted for the first time, and dropped for the last, since it was
	// opened; a key may be in both.
	add, del []wire.Key
}

// step is how far a standby is.
type step uint8

const (
	asking  step = iota // to be opened, or the first marker is to come
	mending             // what changed meanwhile is to be told
	telling             // the second marker is to come; nothing goes to the old upstream
	ready               // the old stream is to come as far
	taking              // it is being closed
)

const (
	// standbyTimeout is how long a standby may take, but for millions of interests.
	standbyTimeout = 30 * time.Second
	// A relay that can't take a log over is asked again after a pause that doubles
	// from firstAgain to lastAgain.
	firstAgain = 500 * time.Millisecond
	lastAgain  = 8 * time.Second
	// handOn is how long an edge that shall take a log from another waits for its own
	// siblings to leave it.
	handOn = 10 * time.Second
)

// relayOf is the sibling that a log should be taken from, nil = none.
func (u *Upstream) relayOfLocked(lg *followed) *node {
	if u.cfg.Relay == nil || lg.p == wire.StateLog {
		return nil
	}
	n := u.nodes[u.cfg.Relay(int(lg.p), u.count)]
	if n == nil || !n.listed || !n.target.Relay {
		return nil
	}
	return n
}

// relay looks whether an open log is at the relay where it belongs, or, where none
// has it, at a core, and begins to move it else.
func (pl *planning) relay(lg *followed) {
	u := pl.u
	if b := lg.heir; b != nil {
		pl.standby(lg, b)
		return
	}
	if lg.phase != open {
		return
	}
	to := u.relayOfLocked(lg)
	if to != nil {
		if until, shunned := lg.shunnedLocked(to.name, pl.now); shunned {
			pl.by(until)
			to = nil
		}
	}
	if to != nil {
		pl.wanted[to] = true
	}
	here := lg.at.n
	switch {
	case to == here:
		return
	case to != nil && (to.s == nil || to.s.asked):
		return // it is being dialled; where the log is, it is well
	case to == nil && !here.target.Relay:
		return // the order of the cores is the plan's own
	case to == nil:
		if to = pl.core(lg); to == nil {
			return
		}
	case !here.target.Relay && !pl.handedOn(lg):
		return
	}
	if to.s.parting[lg.p] > 0 {
		return // the last one there is being closed
	}
	for _, t := range []time.Time{lg.again, to.s.up.Add(to.settle)} {
		if pl.now.Before(t) {
			pl.by(t)
			return
		}
	}
	lg.heir = &standby{s: to.s, since: u.now(), taken: make(chan struct{}), over: make(chan struct{})}
	to.s.wake()
	u.cfg.Logger.Debug("a log is to move", "log", lg.number(), "from", here.name, "to", to.name)
}

// core is the core that a log should be taken from, if there is a link to it.
func (pl *planning) core(lg *followed) *node {
	n := pl.best(lg, pl.u.orderLocked(lg))
	if n == nil || n.s == nil || n.s.asked {
		return nil
	}
	return n
}

// handedOn reports whether nobody takes the log from us any more, or that was waited
// for long enough.
func (pl *planning) handedOn(lg *followed) bool {
	u := pl.u
	if u.cfg.Fed == nil || u.cfg.Fed(lg.p) == 0 {
		lg.leaving = 0
		return true
	}
	if lg.leaving == 0 {
		lg.leaving = u.now()
	}
	return u.now()-lg.leaving > handOn
}

// standby takes a standby a step further, or gives it up.
func (pl *planning) standby(lg *followed, b *standby) {
	u := pl.u
	pl.wanted[b.s.n] = true
	if u.now()-b.since > standbyTimeout && b.step < taking {
		u.giveUpLocked(lg)
		return
	}
	if pos, known := pl.reached[lg.p]; known && b.step == ready && lg.phase == open && pos >= b.at {
		u.takeLocked(lg)
	}
}

// reached is how far those logs are whose standbys wait for that. Sinks may want
// something while they hold their own locks, so ours is not held meanwhile.
func (u *Upstream) reached() map[wire.LogID]wire.Seq {
	u.mu.Lock()
	var of []wire.LogID
	for p, lg := range u.logs {
		if lg.heir != nil && lg.heir.step == ready {
			of = append(of, p)
		}
	}
	u.mu.Unlock()
	out := map[wire.LogID]wire.Seq{}
	for _, p := range of {
		out[p] = u.cfg.Sink.Position(p)
	}
	return out
}

// giveUpLocked ends the standby of a log. It is closed in its own time: another stream
// of the log can't be opened at the same link before.
func (u *Upstream) giveUpLocked(lg *followed) {
	s, opened := lg.heir.s, lg.heir.opened
	lg.dropStandbyLocked()
	if opened == nil {
		u.look()
		return
	}
	s.parting[lg.p]++
	u.wg.Go(func() {
		select {
		case <-opened: // what isn't open yet can't be closed
		case <-s.gone:
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		s.l.CloseLog(ctx, lg.p)
		u.mu.Lock()
		s.parting[lg.p]--
		u.mu.Unlock()
		u.look()
	})
}

// dropStandbyLocked takes the standby from a log, for a while.
func (lg *followed) dropStandbyLocked() {
	close(lg.heir.over)
	lg.heir = nil
	lg.ready.Store(false)
	lg.wakeLocked() // for what was held back
	lg.pause = min(max(2*lg.pause, firstAgain), lastAgain)
	lg.again = time.Now().Add(lg.pause)
}

// takeLocked closes a log where it is, and has its standby go on.
func (u *Upstream) takeLocked(lg *followed) {
	b, old := lg.heir, lg.at
	b.step = taking
	lg.phase, lg.why = closing, Moved
	close(lg.away)
	u.wg.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
		defer cancel()
		old.l.CloseLog(ctx, lg.p)
		pos := u.cfg.Sink.Position(lg.p) // nothing comes now
		u.mu.Lock()
		if b.s.n.s == b.s {
			u.takenLocked(lg, pos)
		} else { // its link has ended meanwhile
			lg.dropStandbyLocked()
			lg.gone()
		}
		u.mu.Unlock()
		u.look()
	})
}

// takenLocked makes a standby the log's stream. Nothing comes of the old one any more,
// by which the log was taken up to pos.
func (u *Upstream) takenLocked(lg *followed, pos wire.Seq) {
	b := lg.heir
	lg.heir = nil
	lg.ready.Store(false)
	lg.unsent()
	lg.at, lg.phase, lg.since, lg.away, lg.begun = b.s, open, u.now(), make(chan struct{}), pos
	lg.heard.Store(int64(u.now()))
	lg.pause, lg.leaving = 0, 0
	b.s.endsLocked(b.s.l.Ends)
	close(b.taken)
	u.placedLocked(lg)
	u.cfg.Events.Resumed(Moved)
	b.s.wake()
	u.tellLocked()
}

// rescueLocked has the standby of a log take over whose stream was lost at a
// position. It can't if it does not have all that follows: then it is given up.
func (u *Upstream) rescueLocked(lg *followed, pos wire.Seq) {
	switch b := lg.heir; {
	case b == nil || b.step == taking: // who closes the old one goes on
	case b.step == ready && pos >= b.at && b.s.n.s == b.s:
		u.takenLocked(lg, pos)
	default:
		u.giveUpLocked(lg)
	}
}

// toStandBy are the logs that are to be opened at a link as standbys.
func (s *session) toStandBy() (out []*followed) {
	s.u.mu.Lock()
	defer s.u.mu.Unlock()
	for _, lg := range s.logs {
		if b := lg.heir; b != nil && b.s == s && b.step == asking && b.id == 0 {
			out = append(out, lg)
		}
	}
	return out
}

// standBy opens a log's standby.
func (s *session) standBy(ctx context.Context, lg *followed) error {
	u := s.u
	u.mu.Lock()
	b := lg.heir
	if b == nil || b.s != s || b.id != 0 {
		u.mu.Unlock()
		return nil
	}
	u.lastID++
	b.id, b.opened = u.lastID, make(chan struct{})
	b.add, b.del = nil, nil
	keys := make([]wire.Key, 0, lg.held.len())
	for k := range lg.held.all() {
		keys = append(keys, k)
	}
	u.mu.Unlock()
	defer close(b.opened)
	return s.l.Open(ctx, lg.p, link.Live, b.id, keys)
}

// mine reports whether what came of a log over this link is to be taken. It waits
// while the log stands by here. What comes before the second marker comes on the old
// stream as well, which is taken as far as that.
func (s *session) mine(lg *followed) bool {
	u := s.u
	u.mu.Lock()
	b := lg.heir
	if b == nil || b.s != s || b.step < ready {
		defer u.mu.Unlock()
		return lg.at == s
	}
	u.mu.Unlock()
	select {
	case <-b.taken:
		return true
	case <-b.over:
		return false
	case <-s.l.Done():
	}
	select { // it may have been taken a moment before
	case <-b.taken:
		return true
	default:
		return false
	}
}

// stands takes a marker of a standby, and reports whether it was one.
func (s *session) stands(lg *followed, m link.Marker) bool {
	u := s.u
	u.mu.Lock()
	defer u.mu.Unlock()
	b := lg.heir
	if b == nil || b.s != s || m.ID != b.id {
		return false
	}
	b.at = m.Seq
	switch b.step {
	case asking:
		b.step = mending
		s.wake()
	case telling:
		b.step = ready
		lg.ready.Store(true)
		u.look()
	case mending, ready, taking:
	}
	return true
}

// refused takes the word of a standby's upstream that it can't have the log, and
// reports whether it was one's.
func (s *session) refused(lg *followed) bool {
	u := s.u
	u.mu.Lock()
	defer u.mu.Unlock()
	b := lg.heir
	if b == nil || b.s != s {
		return false
	}
	if b.step < taking {
		u.giveUpLocked(lg)
	}
	return b.step < taking
}

// mend is what standbys here are told after their first marker. From then on nothing
// goes to the old upstream.
func (s *session) mend() (out []deltaMessage) {
	u := s.u
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, lg := range s.logs {
		b := lg.heir
		if b == nil || b.s != s || b.step != mending {
			continue
		}
		u.lastID++
		b.id, b.step = u.lastID, telling
		m := deltaMessage{p: lg.p, id: b.id, since: link.Live}
		for _, k := range b.add {
			if lg.held.has(k) {
				m.add = append(m.add, k)
			}
		}
		for _, k := range b.del {
			if !lg.held.has(k) {
				m.del = append(m.del, k)
			}
		}
		b.add, b.del = nil, nil
		out = append(out, m)
	}
	return out
}

// heldBackLocked reports whether nothing is to be said to where the log is.
func (lg *followed) heldBackLocked() bool { return lg.heir != nil && lg.heir.step >= telling }
