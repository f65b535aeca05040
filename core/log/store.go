package log

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
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

	recent  []*recent // one per frame log
	inboxes []inboxes // by log, as ends; nil = others append, too

	id      storeID
	signals atomic.Pointer[func(*wire.Signal)] // nil = nobody wants them

	stop    context.CancelFunc // ends the goroutines of keeping
	keeping sync.WaitGroup     // the keeper and the watch

	// The keeper's, before and after it Open's and Close's.
	mark   mark               // what epoch.json says
	proofs map[string][]proof // by log, for the next mark
	peers  *members           // of a cluster
	doubt  string             // this copy may lack a tail: see shared.go; "" = it is whole
	risky  bool               // the server was started in doubt

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

// Open opens the logs of cfg, or makes them; cfg.Dir is for this process alone.
// It fails with ErrLocked, ErrFolder, ErrSettings, or what else is wrong with cfg
// or the logs. ctx matters while it opens only, and does not interrupt the
// recovery after a crash, which reads all of a large store. A core of a cluster
// waits in it for the others, until ctx ends.
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
	was, peers, err := readFolder(&cfg)
	if err != nil {
		return nil, err
	}
	s := &Store{
		cfg: cfg, log: cfg.Logger, lock: lock, budget: semaphore.NewWeighted(flightBudget), reads: semaphore.NewWeighted(readers),
		changed: make(chan struct{}), peers: peers, id: newStoreID(),
	}
	if cfg.kind() == kindCluster {
		if was.Epoch == "" || was.Doubt || was.powerLost(cfg.BootID()) {
			s.doubt = newEpoch()
		}
		if s.peers, s.risky, err = s.gather(ctx, peers, s.doubt); err != nil {
			return nil, err
		}
	}
	sess, err := openSession(&s.cfg, s.peers)
	if err != nil {
		return nil, err
	}
	if err := s.begin(ctx, sess, &was); err != nil {
		sess.close()
		return nil, err
	}
	s.sess = sess
	keeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.keeping.Go(func() { s.keep(keeping) })
	s.keeping.Go(func() { s.watch(keeping) })
	return s, nil
}

// readFolder says what cfg.Dir has, if it fits cfg, whose Logs it sets. Moving a
// store into a cluster would delete its streams (nats-server#5467), so a folder
// is of one kind for good.
func readFolder(cfg *Config) (was mark, peers *members, err error) {
	if was, err = readMark(cfg.Dir); err != nil {
		return was, nil, err
	}
	if peers, err = readMembers(cfg.Dir); err != nil {
		return was, nil, err
	}
	has := was.Kind
	switch {
	case peers != nil:
		has = kindCluster
	case was.Epoch != "":
		has = or(has, kindSingle)
	}
	if has != "" && has != cfg.kind() {
		return was, nil, fmt.Errorf("%w: %s has logs that were made %s, and %s is asked for: keep the old settings, or choose another --data and restore a backup into it",
			ErrSettings, cfg.Dir, has.flags(), cfg.kind().flags())
	}
	if was.Epoch != "" {
		if cfg.Logs != 0 && cfg.Logs != was.Logs {
			return was, nil, fmt.Errorf("%s has %d frame logs, and %d are asked for: their number is fixed for good: use %d, or another --data", cfg.Dir, was.Logs, cfg.Logs, was.Logs)
		}
		cfg.Logs = was.Logs
	}
	return was, peers, nil
}

// flags are the settings that make a folder of this kind.
func (k kind) flags() string {
	switch k {
	case kindCluster:
		return "with --log embedded --replicas 3"
	case kindExternal:
		return "with --log nats://…"
	default:
		return "with --log embedded --replicas 1"
	}
}

// begin opens the logs, decides on the epoch and marks the folder as open.
func (s *Store) begin(ctx context.Context, sess *session, was *mark) error {
	boot := s.cfg.BootID()
	var now settled
	if kind := s.cfg.kind(); kind == kindSingle {
		s.cfg.Logs = or(s.cfg.Logs, defaultLogs)
		lasts, _, err := sess.makeLogs(ctx, &s.cfg)
		if err != nil {
			return err
		}
		now = settled{epoch: sharedEpoch{Epoch: was.Epoch}, lasts: lasts, why: was.stale(boot, named(lasts))}
		if now.why == "" {
			if now.why, err = s.disproved(ctx, sess, was.Proofs); err != nil {
				return err
			}
		}
		if now.why != "" {
			now.epoch.Epoch = newEpoch()
		}
	} else {
		var err error
		if now, err = s.settle(ctx, sess, was); err != nil {
			return err
		}
	}
	s.ends, s.floors = make([]atomic.Uint64, s.cfg.Logs+1), make([]atomic.Uint64, s.cfg.Logs+1)
	for i, last := range now.lasts {
		s.ends[i].Store(uint64(last))
	}
	if s.cfg.kind() == kindSingle {
		s.inboxes = make([]inboxes, s.cfg.Logs+1)
	}
	s.recent = make([]*recent, s.cfg.Logs)
	for i := range s.recent {
		s.recent[i] = newRecent(s.cfg.DedupWindow)
	}
	clocks := readClocks()
	if forward := was.stepped(boot, clocks); forward > 0 && !sess.replicated() {
		s.log.WarnContext(ctx, "the wall clock was set forward while the logs were closed", "by", forward)
		if err := s.recall(ctx, sess, forward); err != nil {
			return err
		}
	}
	if was.Epoch != "" && was.Epoch != now.epoch.Epoch {
		s.log.Warn("the logs have a new epoch: all clients start afresh", "epoch", now.epoch.Epoch, "cause", or(now.why, now.epoch.Cause))
	}
	s.epoch, s.proofs = now.epoch.Epoch, map[string][]proof{}
	if was.Epoch == s.epoch {
		maps.Copy(s.proofs, was.Proofs)
	}
	s.mark = mark{
		Kind: s.cfg.kind(), Epoch: s.epoch, BootID: boot, Logs: s.cfg.Logs, Sync: s.cfg.Sync, Doubt: s.doubt != "", Clocks: clocks,
		Shown: s.shown(), Proofs: maps.Clone(s.proofs),
	}
	if err := s.share(sess); err != nil {
		return err
	}
	return writeMark(s.cfg.Dir, &s.mark)
}

// Close stops the logs in order. Calls in flight fail with ErrUnavailable.
func (s *Store) Close() error {
	s.stop()
	s.keeping.Wait()
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
		s.prove(context.Background(), sess)
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
	lasts := make([]wire.Seq, len(s.ends))
	for i := range s.ends {
		lasts[i] = wire.Seq(s.ends[i].Load())
	}
	return named(lasts)
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
