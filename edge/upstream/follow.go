package upstream

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"selvedge/topology"
	"selvedge/wire"
)

// phase is how far a log is at its link.
type phase uint8

const (
	idle    phase = iota // at no link
	placed               // to be opened, or being opened
	open                 // its stream comes, or will
	closing              // its stream ends
)

// followed is one log as it is followed, and what is wanted of it.
type followed struct {
	p wire.LogID // fixed
	interests

	// Guarded by Upstream.mu.
	at     *session            // nil while idle
	phase  phase               // of the log at it
	since  time.Duration       // when it came to be placed, or open
	why    Reason              // it is opened next
	end    wire.Seq            // as far as was heard
	away   chan struct{}       // closed when it leaves at; made as it is placed
	shun   map[string]shunned  // cores that are passed over for this log
	short  map[string]wire.Seq // cores whose log ended too early, and where
	silent int                 // moves for silence since the last watermark

	heir    *standby      // nil = it does not move
	again   time.Time     // no standby before
	pause   time.Duration // before the one after
	leaving time.Duration // since when our siblings are waited for; 0 = they aren't
	begun   wire.Seq      // up to where the sink has the log from the stream before, and takes nothing from this one

	// Written by the goroutine of its stream, as Upstream.now.
	busy  atomic.Bool // it is with the sink
	ready atomic.Bool // its standby waits for it to come far enough; written with the lock
	heard atomic.Int64
	water atomic.Int64 // the last watermark; 0 = none yet
}

// shunned is a core that a log is not placed at for a while.
type shunned struct {
	since, until time.Time
}

const (
	// stallAfter is how long an open log may be silent, while another core could
	// serve it: cores stamp each log every second. It doubles with each move that
	// brought no watermark: a log that is read from afar may have nothing to say
	// for long.
	stallAfter = 3 * time.Second
	maxSilent  = 5 // doublings
	// A core that fell silent is shunned for stallPause, one that lacks what we
	// have seen for shortPause; then for twice as long, up to maxPause. A log that
	// is nowhere asks again after idlePause at the latest.
	stallPause = 10 * time.Second
	shortPause = 500 * time.Millisecond
	maxPause   = 10 * time.Minute
	idlePause  = 5 * time.Second
	// drainTimeout is how long what a core has sent already is waited for when its
	// log goes to another.
	drainTimeout = time.Second
	// openTimeout is how long a link may take the message that opens a log. It may
	// have millions of interests.
	openTimeout = 30 * time.Second
)

func (u *Upstream) logLocked(p wire.LogID) *followed {
	lg := u.logs[p]
	if lg == nil {
		lg = &followed{p: p, why: Start, interests: newInterests(), shun: map[string]shunned{}, short: map[string]wire.Seq{}}
		u.logs[p] = lg
	}
	return lg
}

// number is the log's for package topology.
func (lg *followed) number() int {
	if lg.p == wire.StateLog {
		return topology.StateLog
	}
	return int(lg.p)
}

// shunLocked passes a core over for a pause, which doubles if the last one ended
// not long ago.
func (lg *followed) shunLocked(node string, now time.Time, pause time.Duration) {
	s := lg.shun[node]
	if now.Before(s.until) {
		return
	}
	if last := s.until.Sub(s.since); last > 0 && now.Sub(s.until) < 2*last+calm {
		pause = min(max(2*last, pause), maxPause)
	}
	lg.shun[node] = shunned{now, now.Add(pause)}
}

// shunnedLocked reports until when a core is passed over, if it is.
func (lg *followed) shunnedLocked(node string, now time.Time) (until time.Time, is bool) {
	s := lg.shun[node]
	until = s.until
	if last := s.since.Add(idlePause); lg.phase == idle && last.Before(until) {
		until = last
	}
	return until, now.Before(until)
}

// endsLocked takes note of where a link's logs end.
func (s *session) endsLocked(ends []wire.Seq) {
	for i, end := range ends {
		p := wire.LogID(i)
		if i == len(ends)-1 {
			p = wire.StateLog
		}
		if lg := s.logs[p]; lg.at == s {
			lg.end = max(lg.end, end)
		}
	}
}

// placeLocked has a log opened at a link.
func (u *Upstream) placeLocked(lg *followed, s *session) {
	lg.at, lg.phase, lg.since, lg.away, lg.begun = s, placed, u.now(), make(chan struct{}), 0
	s.endsLocked(s.l.Ends)
	u.placedLocked(lg)
	s.wake()
	u.tellLocked()
}

// placedLocked tells who feeds us a log now.
func (u *Upstream) placedLocked(lg *followed) {
	if u.cfg.Placed != nil {
		u.cfg.Placed(lg.p, !lg.at.n.target.Relay)
	}
}

// leaveLocked begins to close a log at its link. What was sent until then is taken
// unless the core is at fault.
func (u *Upstream) leaveLocked(lg *followed, why Reason) {
	s := lg.at
	if lg.heir != nil {
		u.giveUpLocked(lg)
	}
	lg.phase, lg.why = closing, why
	close(lg.away)
	u.wg.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
		defer cancel()
		if why == Silent || why == Behind {
			cancel()
		}
		s.l.CloseLog(ctx, lg.p)
		u.mu.Lock()
		if lg.at == s { // else the link ended meanwhile
			lg.gone()
		}
		u.mu.Unlock()
		u.look()
	})
}

// lostLocked takes a log from a link that has ended.
func (lg *followed) lostLocked(why Reason) {
	if lg.phase != closing {
		close(lg.away)
		lg.why = why
	}
	lg.gone()
}

// gone ends a log's time at a link. What waits for its markers is to be sent
// again. It needs the lock.
func (lg *followed) gone() {
	lg.at, lg.phase = nil, idle
	lg.unsent()
}

// opened takes note that a core has what is followed: it stamped the log.
func (lg *followed) openedLocked() {
	lg.silent = 0
	clear(lg.short)
}

// behind takes note that a core's log ends before our position: a replica that
// lags, or a core that has lost a part of its data. Another one may have it.
func (u *Upstream) behind(lg *followed, s *session, end wire.Seq) {
	if s.refused(lg) {
		return
	}
	pos := u.cfg.Sink.Position(lg.p) // we are on its stream's goroutine
	u.mu.Lock()
	defer u.mu.Unlock()
	if lg.at != s || lg.phase != open && lg.phase != placed {
		return
	}
	name := s.n.name
	before := u.shortLocked(lg)
	lg.short[name] = end
	lg.shunLocked(name, time.Now(), shortPause)
	u.leaveLocked(lg, Behind)
	if u.shortLocked(lg) && !before {
		u.cfg.Logger.Error("no core has a log as far as this edge has seen it: a data folder was restored from an older copy, or lost a part. "+
			"If no other core has it, stop the core, remove epoch.json from its folder, and start it again (a new epoch)",
			"log", lg.number(), "seen", pos, "core", name, "ends", end)
	}
}

// shortLocked reports whether every core that could serve a log lacks what we
// have seen of it.
func (u *Upstream) shortLocked(lg *followed) bool {
	return !slices.ContainsFunc(u.orderLocked(lg), func(n *node) bool {
		_, short := lg.short[n.name]
		return !short
	})
}

// elsewhere takes the word of a relay that it does not have a log, or not any more.
func (u *Upstream) elsewhere(lg *followed, s *session) {
	if s.refused(lg) {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if lg.at != s || lg.phase != open && lg.phase != placed {
		return
	}
	lg.shunLocked(s.n.name, time.Now(), shortPause)
	u.leaveLocked(lg, Moved)
}
