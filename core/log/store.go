package log

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"

	"selvedge/wire"

	"golang.org/x/sync/semaphore"
)

// Store is the open logs of a core. Its methods are safe for concurrent use.
type Store struct {
	cfg    Config // Logs is the real number
	log    *slog.Logger
	lock   *os.File
	budget *semaphore.Weighted // bytes of appends in flight; who exceeds it waits
	reads  *semaphore.Weighted // gets under way; who exceeds it waits

	// One per frame log, then the state log's. They only grow.
	ends   []atomic.Uint64
	floors []atomic.Uint64

	stop context.CancelFunc // ends the keeper
	kept chan struct{}      // closed by the keeper
	mark mark               // what epoch.json says; the keeper's, before and after it Open's and Close's

	mu      sync.Mutex
	epoch   string
	sess    *session      // nil while there is none
	down    error         // why there is none: ErrUnavailable, ErrTailLost
	final   bool          // there won't be another session
	changed chan struct{} // closed, and replaced, when the three above change
}

// flightBudget is how many bytes of appends may wait for their acks. The server
// refuses more than 128 MiB per stream.
const flightBudget = 64 << 20

// Open opens the logs in cfg.Dir, or makes them, for this process alone. It
// fails with ErrLocked, ErrFolder, or what else is wrong with cfg or the logs.
// ctx matters while it opens only, and does not interrupt the recovery after a
// crash, which reads all of a large store.
func Open(ctx context.Context, cfg Config) (_ *Store, err error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	lock, err := lockFolder(cfg.Dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = lock.Close() // the error at hand says more
		}
	}()
	was, err := readMark(cfg.Dir)
	if err != nil {
		return nil, err
	}
	if was.Epoch != "" {
		if cfg.Logs != 0 && cfg.Logs != was.Logs {
			return nil, fmt.Errorf("%s has %d frame logs, and %d are asked for: their number is fixed for good: use %d, or another --data", cfg.Dir, was.Logs, cfg.Logs, was.Logs)
		}
		cfg.Logs = was.Logs
	}
	cfg.Logs = or(cfg.Logs, defaultLogs)
	s := &Store{
		cfg: cfg, log: cfg.Logger, lock: lock, budget: semaphore.NewWeighted(flightBudget), reads: semaphore.NewWeighted(readers),
		ends: make([]atomic.Uint64, cfg.Logs+1), floors: make([]atomic.Uint64, cfg.Logs+1),
		kept: make(chan struct{}), changed: make(chan struct{}),
	}
	sess, lasts, err := openSession(ctx, &s.cfg)
	if err != nil {
		return nil, err
	}
	if err := s.begin(was, lasts); err != nil {
		sess.close()
		return nil, err
	}
	s.sess = sess
	keeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	go s.keep(keeping)
	return s, nil
}

// begin decides on the epoch and marks the folder as open.
func (s *Store) begin(was mark, lasts []wire.Seq) error {
	for i, last := range lasts {
		s.ends[i].Store(uint64(last))
	}
	shown := s.shown()
	boot := s.cfg.BootID()
	epoch := was.Epoch
	if why := was.stale(boot, shown); why != "" {
		epoch = newEpoch()
		if was.Epoch != "" {
			s.log.Warn("the logs have a new epoch: all clients start afresh", "epoch", epoch, "cause", why)
		}
	}
	s.epoch = epoch
	s.mark = mark{Epoch: epoch, BootID: boot, Logs: s.cfg.Logs, Sync: s.cfg.Sync, Shown: shown}
	return writeMark(s.cfg.Dir, &s.mark)
}

// Close stops the logs in order. Calls in flight fail with ErrUnavailable.
func (s *Store) Close() error {
	s.stop()
	<-s.kept
	s.mu.Lock()
	if s.final && s.lock == nil {
		s.mu.Unlock()
		return nil // closed before
	}
	sess, lock, lost := s.sess, s.lock, errors.Is(s.down, ErrTailLost)
	s.setLocked(nil, errClosed, true)
	s.lock = nil
	s.mu.Unlock()
	if sess != nil {
		sess.close()
	}
	var err error
	if lost {
		err = writeMark(s.cfg.Dir, &s.mark) // its first try may have met a full disk
	} else {
		err = s.save(true)
	}
	return errors.Join(err, lock.Close())
}

// Epoch is the identity of the logs: positions of another one mean nothing.
func (s *Store) Epoch() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.epoch
}

// Logs is P, the number of frame logs.
func (s *Store) Logs() int { return s.cfg.Logs }

// End is the last position of log p that is known to be appended or followed.
func (s *Store) End(p wire.LogID) wire.Seq { return wire.Seq(s.ends[s.index(p)].Load()) }

func (s *Store) index(p wire.LogID) int {
	if p == wire.StateLog {
		return s.cfg.Logs
	}
	return int(p)
}

func (s *Store) advance(p wire.LogID, seq wire.Seq) { raise(&s.ends[s.index(p)], uint64(seq)) }

func raise(a *atomic.Uint64, to uint64) {
	for {
		was := a.Load()
		if was >= to || a.CompareAndSwap(was, to) {
			return
		}
	}
}

// shown is the ends by name, as the mark keeps them.
func (s *Store) shown() map[string]wire.Seq {
	m := make(map[string]wire.Seq, len(s.ends))
	for i := range s.ends {
		p := wire.LogID(i)
		if i == s.cfg.Logs {
			p = wire.StateLog
		}
		m[logName(p)] = wire.Seq(s.ends[i].Load())
	}
	return m
}

// session is the current one, or why there is none.
func (s *Store) session() (*session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sess, s.down
}

// await waits for a session; it fails when there won't be one, or ctx ends.
func (s *Store) await(ctx context.Context) (*session, error) {
	for {
		s.mu.Lock()
		sess, down, final, changed := s.sess, s.down, s.final, s.changed
		s.mu.Unlock()
		if sess != nil {
			return sess, nil
		}
		if final {
			return nil, down
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (s *Store) setLocked(sess *session, down error, final bool) {
	s.sess, s.down, s.final = sess, down, final
	close(s.changed)
	s.changed = make(chan struct{})
}
