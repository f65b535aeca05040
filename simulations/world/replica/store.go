package replica

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	corelog "selvedge/core/log"
	"selvedge/wire"
)

// Store is one core's logs: it stands for core/log's Store, whose promises its
// methods keep, and belongs to one life of the core's process.
type Store struct {
	c     *Cluster
	core  int
	epoch string
	ends  []atomic.Uint64 // by log, the state log's last

	closing sync.Once
	closed  chan struct{} // closed by Close
}

// Open opens the logs of a core. It waits for a majority, until ctx ends.
func (c *Cluster) Open(ctx context.Context, core int) (*Store, error) {
	s := &Store{c: c, core: core, ends: make([]atomic.Uint64, c.cfg.Logs+1), closed: make(chan struct{})}
	for !c.look().majority(core) {
		if err := s.sleep(ctx, again); err != nil {
			return nil, err
		}
	}
	c.mu.Lock()
	s.epoch = c.epoch
	c.mu.Unlock()
	for _, lg := range c.logs {
		for {
			_, err := s.Latest(ctx, lg.p)
			if err == nil {
				break
			}
			if ctx.Err() != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

// Close ends all calls with ErrUnavailable.
func (s *Store) Close() error {
	s.closing.Do(func() { close(s.closed) })
	return nil
}

// Epoch is core/log's Store.Epoch.
func (s *Store) Epoch() string { return s.epoch }

// Logs is core/log's Store.Logs.
func (s *Store) Logs() int { return s.c.cfg.Logs }

// End is core/log's Store.End.
func (s *Store) End(p wire.LogID) wire.Seq { return wire.Seq(s.ends[s.c.index(p)].Load()) }

// Floor is core/log's Store.Floor: nothing is let go.
func (s *Store) Floor(wire.LogID) wire.Seq { return 0 }

// Latest is core/log's Store.Latest.
func (s *Store) Latest(ctx context.Context, p wire.LogID) (wire.Seq, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		leader, _, _, ok := s.c.route(s.core, p)
		if ok {
			there, _ := s.c.cfg.Net.Way(s.c.cfg.Hosts[s.core], s.c.cfg.Hosts[leader])
			if err := s.sleep(ctx, there); err != nil {
				return 0, err
			}
			s.c.mu.Lock()
			end := wire.Seq(len(s.c.logs[s.c.index(p)].records))
			s.c.mu.Unlock()
			if err := s.answer(ctx, leader); err != nil {
				return 0, err
			}
			s.advance(p, end)
			return end, nil
		}
		if err := s.sleep(ctx, again); err != nil {
			return 0, err
		}
	}
}

func (s *Store) advance(p wire.LogID, seq wire.Seq) {
	end := &s.ends[s.c.index(p)]
	for {
		was := end.Load()
		if was >= uint64(seq) || end.CompareAndSwap(was, uint64(seq)) {
			return
		}
	}
}

// sleep waits; it fails with ErrUnavailable when ctx ends, or the store is closed.
func (s *Store) sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-s.closed:
		return unavailable(errClosed)
	case <-ctx.Done():
		return unavailable(ctx.Err())
	}
}

func unavailable(err error) error { return fmt.Errorf("%w: %w", corelog.ErrUnavailable, err) }

var errClosed = errors.New("it is closed")

// Signal is core/log's Store.Signal.
func (s *Store) Signal(sig *wire.Signal) error {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	for i, fn := range s.c.ears {
		if i == s.core || fn == nil {
			continue
		}
		if takes, open := s.c.cfg.Net.Way(s.c.cfg.Hosts[s.core], s.c.cfg.Hosts[i]); open {
			time.AfterFunc(takes, func() { fn(sig) })
		}
	}
	return nil
}

// Signals is core/log's Store.Signals.
func (s *Store) Signals(fn func(*wire.Signal)) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.c.ears[s.core] = fn
}
