package log

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"selvedge/wire"
)

const (
	tick        = 250 * time.Millisecond
	savePeriod  = 3 * time.Second
	slowAppend  = 500 * time.Millisecond // past it, the server is asked for its health
	deadAppend  = 15 * time.Second       // past it, it is not asked
	firstReopen = 200 * time.Millisecond
	lastReopen  = 15 * time.Second
)

// keep watches over the session, opens another when it fails, and keeps the
// mark fresh. It is the Store's only goroutine.
func (s *Store) keep(ctx context.Context) {
	defer close(s.kept)
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	saved, backoff := time.Now(), firstReopen
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
		case <-ticker.C:
			watch(sess)
			if time.Since(saved) >= savePeriod {
				saved = time.Now()
				if err := s.save(false); err != nil {
					s.log.WarnContext(ctx, "the mark of the logs can't be written", "err", err)
				}
			}
		}
	}
}

// watch fails a session whose appends get no answer. A file store that can't
// write says nothing to who appends: its error is in the health report only.
func watch(sess *session) {
	oldest := sess.acks.oldest()
	if oldest.IsZero() || time.Since(oldest) < slowAppend {
		return
	}
	if err := sess.sick(); err != nil {
		sess.fail(unavailable(err))
	} else if time.Since(oldest) >= deadAppend {
		sess.fail(unavailable(errors.New("it does not answer")))
	}
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
	// A start that can't write is worse than none.
	probe := filepath.Join(s.cfg.Dir, "probe.tmp")
	err := writeSynced(probe, make([]byte, 64<<10))
	if err = errors.Join(err, os.Remove(probe)); err != nil {
		return folderError(s.cfg.Dir, "written", err)
	}
	sess, lasts, err := openSession(ctx, &s.cfg)
	if err != nil {
		return err
	}
	for i, last := range lasts {
		if end := s.ends[i].Load(); uint64(last) < end {
			sess.close()
			return s.loseTail(ctx, last, end)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setLocked(sess, nil, false)
	s.log.InfoContext(ctx, "the log is open again")
	return nil
}

// loseTail ends the store for good, with a new epoch for the next start:
// readers have positions that others will get.
func (s *Store) loseTail(ctx context.Context, last wire.Seq, end uint64) error {
	err := fmt.Errorf("%w: one ends at %d, %d was shown: restart the core", ErrTailLost, last, end)
	s.log.ErrorContext(ctx, "the logs need a new epoch", "err", err)
	s.mark.Epoch, s.mark.Clean, s.mark.Shown = newEpoch(), true, nil
	err = errors.Join(err, writeMark(s.cfg.Dir, &s.mark))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setLocked(nil, err, true)
	return err
}

// save writes the mark if it has changed.
func (s *Store) save(clean bool) error {
	m := s.mark
	m.Shown, m.Clean = s.shown(), clean
	if m.equal(&s.mark) {
		return nil
	}
	if err := writeMark(s.cfg.Dir, &m); err != nil {
		return err
	}
	s.mark = m
	return nil
}
