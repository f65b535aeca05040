package roster

import (
	"context"
	"fmt"
	"time"

	"selvedge/edge/upstream"
	"selvedge/wire"
)

// settlePause is how often Settle looks how far the stream has come.
const settlePause = 20 * time.Millisecond

// settler is told of the marker of an interest that is only asked for to learn
// how far the stream is.
type settler chan struct{}

// Settle waits until the stream has come to state position v, as an answer of the core
// had it: what is known here is then as late as the answer. A record, watermark or
// marker tells; so that one comes, it asks for an interest in key for a moment. It
// fails when ctx ends or the log is another, with an error of Upstream's.
func (s *Rosters) Settle(ctx context.Context, key wire.Key, v wire.Seq) error {
	if s.Position() >= v {
		return nil
	}
	lifetime := s.life()
	t := time.NewTicker(settlePause)
	defer t.Stop()
	var told settler
	defer func() {
		if told != nil {
			s.cfg.Upstream.Drop(wire.StateLog, key)
		}
	}()
	for s.Position() < v {
		if s.life() != lifetime {
			return fmt.Errorf("%w: the logs have changed", upstream.ErrUnavailable)
		}
		if told == nil {
			told = make(settler)
			s.cfg.Upstream.Want(wire.StateLog, upstream.Want{Key: key, Since: never, Token: told})
		}
		select {
		case <-told: // by a relay that is not as far itself, if that is not enough
			s.cfg.Upstream.Drop(wire.StateLog, key)
			if told = nil; s.Position() >= v {
				return nil
			}
			<-t.C
		case <-t.C:
		case <-ctx.Done():
			return gaveUp(ctx)
		}
	}
	return nil
}

// life counts the logs that there were.
func (s *Rosters) life() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.lifetime
}
