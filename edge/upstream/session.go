package upstream

import (
	"context"
	"errors"
	"slices"
	"time"

	"selvedge/wire"
	"selvedge/wire/link"
	"selvedge/wire/tail"
)

// session is one link that is up. It implements link.Receiver.
type session struct {
	// Fixed before it is admitted.
	u      *Upstream
	n      *node
	region string // of the core
	l      *link.Link
	kick   chan struct{} // capacity 1: some log or interest waits to be sent
	gone   chan struct{} // closed when nothing more comes over it

	// Fixed as it is admitted.
	logs map[wire.LogID]*followed
	up   time.Time

	// Guarded by Upstream.mu.
	asked    bool      // it is we who close it
	unneeded time.Time // since when it carries nothing; zero = it does
	// parting counts the standbys that were given up and are yet to be closed: until
	// then their logs can't be opened here.
	parting map[wire.LogID]int
}

func (s *session) wake() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// serve opens what is placed at the link, and feeds the sink, until it ends. It
// returns after the sink's last call.
func (s *session) serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.l.Run(ctx) }()
	err := s.send(ctx)
	s.l.Close()
	switch err = errors.Join(err, <-done); {
	case s.l.Left():
		return ErrLeft
	case err == nil:
		return errors.New("the link was closed by the other side")
	}
	return err
}

// gap is the least time between two rounds of deltas: what is wanted meanwhile
// goes together. The first after a quiet time goes at once.
const gap = 3 * time.Millisecond

// send opens logs, and sends what is wanted and no longer wanted, until the link
// ends.
func (s *session) send(ctx context.Context) error {
	s.wake()
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		// A round when its pause is over and there is something to say.
		wait, kick := pause.C, (<-chan struct{})(nil)
		for wait != nil || kick != nil {
			select {
			case <-ctx.Done():
				return nil
			case <-s.l.Done():
				return nil
			case <-wait:
				wait, kick = nil, s.kick
			case <-kick:
				kick = nil
			}
		}
		for _, lg := range s.toOpen() {
			if err := s.open(ctx, lg); err != nil {
				return err
			}
		}
		for _, lg := range s.toStandBy() {
			if err := s.standBy(ctx, lg); err != nil {
				return err
			}
		}
		for _, m := range append(s.mend(), s.u.nextDeltas(s)...) {
			err := s.l.Interest(ctx, m.p, m.id, m.add, m.del, m.since)
			if err != nil && !errors.Is(err, link.ErrLogClosed) { // it is on its way to another link
				return err
			}
		}
		pause.Reset(gap)
	}
}

// toOpen are the logs that are placed here and not open yet, the state log first:
// sessions can begin with it.
func (s *session) toOpen() (out []*followed) {
	s.u.mu.Lock()
	defer s.u.mu.Unlock()
	for i := range len(s.logs) {
		p := wire.LogID(i - 1)
		if i == 0 {
			p = wire.StateLog
		}
		if lg := s.logs[p]; lg.at == s && lg.phase == placed {
			out = append(out, lg)
		}
	}
	return out
}

// open asks for a log from the sink's position, with all interests that are held.
// Those of them that still wait for a marker are sent again afterwards.
func (s *session) open(ctx context.Context, lg *followed) error {
	u := s.u
	after := u.cfg.Sink.Position(lg.p)
	u.mu.Lock()
	keys := make([]wire.Key, 0, lg.held.len())
	for k := range lg.held.all() {
		keys = append(keys, k)
	}
	lg.del = nil // this link never knew them
	id, away, why := u.lastID, lg.away, lg.why
	u.mu.Unlock()
	lg.heard.Store(int64(u.now()))
	if err := s.l.Open(ctx, lg.p, after, id, keys); err != nil {
		return err
	}
	u.cfg.Events.Resumed(why)
	u.mu.Lock()
	defer u.mu.Unlock()
	if lg.away == away && lg.phase == placed { // it may have left already: see behind
		lg.phase, lg.since = open, u.now()
	}
	return nil
}

// turn hands the sink a part of a log's stream.
func (s *session) turn(lg *followed, fn func()) {
	lg.heard.Store(int64(s.u.now()))
	lg.busy.Store(true)
	fn()
	lg.heard.Store(int64(s.u.now()))
	lg.busy.Store(false)
	if lg.ready.Load() {
		s.u.look()
	}
}

// ends takes what the core tells of where its logs end.
func (s *session) ends(ends []wire.Seq) {
	s.u.mu.Lock()
	defer s.u.mu.Unlock()
	s.endsLocked(ends)
}

// Records implements link.Receiver. A watermark counts when the sink has what came
// before it, or an answer that is read meanwhile would be taken for the present.
func (s *session) Records(p wire.LogID, records []tail.Record) {
	lg := s.logs[p]
	s.u.cfg.Events.Received(s.region, records)
	if !s.mine(lg) {
		return
	}
	came := s.u.now()
	s.turn(lg, func() { s.u.cfg.Sink.Records(p, records) })
	if slices.ContainsFunc(records, func(r tail.Record) bool { return r.Kind == tail.Watermark }) {
		lg.water.Store(int64(came))
	}
}

// Marker implements link.Receiver.
func (s *session) Marker(p wire.LogID, m link.Marker) {
	lg := s.logs[p]
	if s.stands(lg, m) || !s.mine(lg) {
		return
	}
	s.turn(lg, func() { s.u.marker(lg, m) })
}

// Gap implements link.Receiver.
func (s *session) Gap(p wire.LogID, floor wire.Seq, lost []wire.Key) {
	lg := s.logs[p]
	if s.mine(lg) {
		s.turn(lg, func() { s.u.cfg.Sink.Gap(p, floor, lost) })
		return
	}
	s.refused(lg) // it lacks something already
}

// Behind implements link.Receiver.
func (s *session) Behind(p wire.LogID, end wire.Seq) { s.u.behind(s.logs[p], s, end) }

// Elsewhere implements link.Receiver.
func (s *session) Elsewhere(p wire.LogID) { s.u.elsewhere(s.logs[p], s) }

// Signal implements link.Receiver. The signals of a log that comes by a relay come
// by it, too: a core that we have a link to may send them as well.
func (s *session) Signal(sig *wire.Signal) {
	s.u.mu.Lock()
	at := s.u.logLocked(wire.LogOf(sig.Ch, s.u.count)).at
	s.u.mu.Unlock()
	if at == s || at == nil || !at.n.target.Relay && !s.n.target.Relay {
		s.u.cfg.Sink.Signal(sig)
	}
}
