package log

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"time"

	"selvedge/wire"
)

const (
	tick        = 250 * time.Millisecond
	savePeriod  = 3 * time.Second
	slowAppend  = 500 * time.Millisecond // past it, a single server is asked for its health
	deadAppend  = 15 * time.Second       // past it, it is not asked
	lateAppend  = 3 * time.Second        // past it, an append to several servers is unavailable
	firstReopen = 200 * time.Millisecond
	lastReopen  = 15 * time.Second
	reopenLimit = 30 * time.Second // several copies that have no leader for so long are begun with anew
)

// keep opens another session when one fails, looks at the other cores, and keeps
// the mark fresh. What it asks may take its time, so watch is another goroutine.
func (s *Store) keep(ctx context.Context) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	others, stop := s.watchPeers()
	defer stop()
	saved, looked, backoff := time.Now(), time.Now(), firstReopen
	for {
		sess, err := s.session()
		if err != nil {
			return // final
		}
		select {
		case <-ctx.Done():
			return
		case <-sess.failed:
			if sess.worked.Load() {
				backoff = firstReopen
			}
			backoff = s.reopen(ctx, sess, backoff)
		case <-others:
			s.readdress(ctx, sess)
		case <-ticker.C:
			if sess.replicated() && time.Since(looked) >= epochPeriod {
				looked = time.Now()
				s.look(ctx, sess)
			}
			if time.Since(saved) >= savePeriod {
				saved = time.Now()
				s.prove(ctx, sess)
				if err := s.save(false); err != nil {
					s.log.WarnContext(ctx, "the mark of the logs can't be written", "err", err)
				}
			}
		}
	}
}

// watch looks at what waits in the session, every tick.
func (s *Store) watch(ctx context.Context) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if sess, err := s.session(); err == nil {
			failSilent(sess)
		}
	}
}

// failSilent fails a session, or the appends in it, that get no answer. A single file
// store that can't write says nothing to who appends: its error is in the health
// report only. Of several servers, the leader may have gone with the question.
func failSilent(sess *session) {
	oldest := sess.acks.oldest()
	switch {
	case sess.replicated():
		sess.acks.expire(time.Now().Add(-lateAppend), unavailable(errors.New("it does not answer")))
		if sess.gaveUp() {
			sess.fail(unavailable(errors.New("the embedded server has given up its store")))
		}
	case oldest.IsZero() || time.Since(oldest) < slowAppend:
	case time.Since(oldest) >= deadAppend:
		sess.fail(unavailable(errors.New("it does not answer")))
	default:
		if err := sess.srv.sick(); err != nil {
			sess.fail(unavailable(err))
		}
	}
}

// gaveUp reports whether an embedded server can't write, and has left it at that.
func (sess *session) gaveUp() bool {
	return sess.srv != nil && !sess.srv.server.JetStreamEnabled()
}

// reopen replaces a failed session, trying until ctx ends, and returns the
// pause before the next time that it is called.
func (s *Store) reopen(ctx context.Context, failed *session, pause time.Duration) time.Duration {
	s.log.ErrorContext(ctx, "the log failed and is opened again", "err", failed.cause, "in", pause)
	s.mu.Lock()
	s.setLocked(nil, failed.cause, false)
	s.mu.Unlock()
	failed.close()
	for {
		if sleep(ctx, pause) != nil {
			return pause
		}
		pause = min(2*pause, lastReopen)
		err := s.tryReopen(ctx)
		if err == nil || errors.Is(err, ErrTailLost) {
			return pause
		}
		s.log.ErrorContext(ctx, "the log can't be opened again yet", "err", err, "next", pause)
	}
}

func (s *Store) tryReopen(ctx context.Context) error {
	if s.cfg.kind() != kindExternal {
		// A start that can't write is worse than none.
		probe := filepath.Join(s.cfg.Dir, "probe.tmp")
		err := writeSynced(probe, make([]byte, 64<<10))
		if err = errors.Join(err, os.Remove(probe)); err != nil {
			return folderError(s.cfg.Dir, "written", err)
		}
	}
	sess, err := openSession(&s.cfg, s.peers)
	if err != nil {
		return err
	}
	err = s.resume(ctx, sess)
	if err == nil {
		err = s.share(sess)
	}
	if err != nil {
		sess.close()
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setLocked(sess, nil, false)
	s.log.InfoContext(ctx, "the log is open again")
	return nil
}

// resume opens the logs that this store has had open, if they still have all
// that it knows of.
func (s *Store) resume(ctx context.Context, sess *session) error {
	lasts, why, err := s.endsOf(ctx, sess)
	if err != nil {
		return err
	}
	for i, last := range lasts {
		if end := s.ends[i].Load(); uint64(last) < end {
			why = fmt.Sprintf("one ends at %d, %d was shown", last, end)
		}
	}
	switch {
	case why == "":
		return nil
	case sess.replicated():
		return s.loseShared(ctx, sess, why)
	}
	return s.loseTail(ctx, newEpoch(), nil, why)
}

// endsOf is where the logs of a session end that was opened again, and why they are
// others than they were, "" = they aren't. Several copies
// take their time to be found, and to agree on leaders: to close the session
// meanwhile would begin all of that anew.
func (s *Store) endsOf(ctx context.Context, sess *session) (lasts []wire.Seq, why string, err error) {
	for began := time.Now(); ; {
		if lasts, _, err = sess.makeLogs(ctx, &s.cfg); err == nil {
			why, err = s.disproved(ctx, sess, s.proofs)
		}
		if err == nil || !sess.replicated() || errors.Is(err, ErrSettings) || time.Since(began) > reopenLimit || sess.gaveUp() {
			return lasts, why, err
		}
		select {
		case <-sess.failed:
			return nil, "", sess.cause
		default:
			s.readdress(ctx, sess)
		}
		if sleep(ctx, settlePause) != nil {
			return nil, "", fmt.Errorf("%w: %w", unavailable(ctx.Err()), err)
		}
	}
}

// loseTail ends the store for good, with another epoch for the next start:
// readers have positions that others will get.
func (s *Store) loseTail(ctx context.Context, epoch string, shown map[string]wire.Seq, why string) error {
	err := fmt.Errorf("%w: %s: restart the core", ErrTailLost, why)
	s.log.ErrorContext(ctx, "the logs need a new epoch", "err", err)
	s.mark.Epoch, s.mark.Clean, s.mark.Shown, s.mark.Proofs = epoch, true, shown, nil
	if s.cfg.kind() == kindCluster {
		s.mark.Proofs = maps.Clone(s.proofs) // the next start looks whether this copy is like the others'
	}
	err = errors.Join(err, writeMark(s.cfg.Dir, &s.mark))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setLocked(nil, err, true)
	return err
}

// save writes the mark if it has changed.
func (s *Store) save(clean bool) error {
	m := s.mark
	m.Shown, m.Clean, m.Doubt = s.shown(), clean, s.doubt != ""
	m.Proofs, m.Clocks = maps.Clone(s.proofs), readClocks()
	stepped := step(s.mark.Clocks, m.Clocks)
	if stepped != 0 {
		s.log.Warn("the wall clock was set: the ages of frames are by it", "forward", stepped)
	}
	if m.equal(&s.mark) && stepped == 0 {
		return nil
	}
	if err := writeMark(s.cfg.Dir, &m); err != nil {
		return err
	}
	s.mark = m
	return nil
}
