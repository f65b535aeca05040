package world

import (
	"context"
	"sync"
	"time"

	"selvedge/core"
	corelog "selvedge/core/log"
	"selvedge/wire"
)

// witness is what the state log said, and when: the truth that answers are held
// against. Each epoch of the logs has a chronicle of its own. It is safe for
// concurrent use.
type witness struct {
	since func() time.Duration

	mu     sync.Mutex
	epochs []*chronicle // guarded by mu; in their order
}

// readBytes is how much of a log is read at once.
const readBytes = 1 << 20

// begin has a chronicle for the epoch of logs that were opened. Of a new one it
// begins with what its log has: what else was heard before is lost.
func (w *witness) begin(ctx context.Context, s core.Store) error {
	if w.of(s.Epoch()) != nil {
		return nil
	}
	c := newChronicle(s.Epoch(), w.since)
	for after := wire.Seq(0); ; {
		records, err := s.Read(ctx, wire.StateLog, after, readBytes)
		if err != nil {
			return err
		}
		if len(records) == 0 {
			break
		}
		c.hear(records)
		after = records[len(records)-1].Seq
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, other := range w.epochs {
		if other.epoch == c.epoch {
			return nil // another core was quicker
		}
		c.continues(other)
	}
	w.epochs = append(w.epochs, c)
	return nil
}

// of is the chronicle of an epoch, nil if none began.
func (w *witness) of(epoch string) *chronicle {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.epochs {
		if c.epoch == epoch {
			return c
		}
	}
	return nil
}

// present is the chronicle of the last epoch.
func (w *witness) present() *chronicle {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.epochs[len(w.epochs)-1]
}

// heard is how many records were, in all epochs.
func (w *witness) heard() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.epochs {
		c.mu.Lock()
		n += len(c.records)
		c.mu.Unlock()
	}
	return n
}

// powerLoss says that nothing is to be heard of this epoch any more.
func (w *witness) powerLoss() { w.present().end(w.since()) }

// overheard is a core's logs, of which the witness hears what the core hears.
type overheard struct {
	core.Store
	c *chronicle
}

// Follow is Store's.
func (o *overheard) Follow(ctx context.Context, p wire.LogID, after wire.Seq, fn func([]corelog.Stored) error) error {
	if p != wire.StateLog {
		return o.Store.Follow(ctx, p, after, fn)
	}
	return o.Store.Follow(ctx, p, after, func(records []corelog.Stored) error {
		o.c.hear(records)
		return fn(records)
	})
}

// opener opens a core's logs.
type opener = func(ctx context.Context, cfg corelog.Config) (core.Store, error)

// overhear is open, or that of the real logs if it is nil, with the witness at the
// logs that it opens.
func (w *World) overhear(open opener) opener {
	if open == nil {
		open = func(ctx context.Context, cfg corelog.Config) (core.Store, error) { return corelog.Open(ctx, cfg) }
	}
	return func(ctx context.Context, cfg corelog.Config) (core.Store, error) {
		s, err := open(ctx, cfg)
		if err != nil {
			return nil, err // not a nil *log.Store, which is no nil Store
		}
		if err := w.truth.begin(ctx, s); err != nil {
			_ = s.Close() // it could not be read
			return nil, err
		}
		return &overheard{s, w.truth.of(s.Epoch())}, nil
	}
}
