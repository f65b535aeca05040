package roster

import (
	"context"

	"selvedge/wire"
)

// whole is a room of which all members are known. It is read if it has to be.
// named waits for the names of those who are members at this moment; others may
// come meanwhile whose names aren't sure. Who gets the room unpins it.
func (s *Rosters) whole(ctx context.Context, id wire.RoomID, named bool) (*room, error) {
	for {
		s.mu.Lock()
		r := s.beginLocked(id)
		r.pins.Add(1)
		l := r.load
		s.flushLocked()
		s.mu.Unlock()
		err := s.awaitWhole(ctx, r)
		if err == nil && named {
			err = s.awaitNames(ctx, r)
		}
		s.mu.RLock()
		dead := r.dead
		if err == nil && l != nil {
			err = l.err
		}
		s.mu.RUnlock()
		if err == nil && !dead {
			return r, nil
		}
		s.unpin(r)
		if err != nil {
			return nil, err
		}
	}
}

// awaitWhole waits until all members are known, or the room is dead.
func (s *Rosters) awaitWhole(ctx context.Context, r *room) error {
	return s.await(ctx, func() (bool, <-chan struct{}) {
		return r.dead || r.whole, s.waitLocked(r)
	})
}

// awaitNames waits until the names of those who are members now are sure, or the
// room is dead.
func (s *Rosters) awaitNames(ctx context.Context, r *room) error {
	turns := uint64(0)
	return s.await(ctx, func() (bool, <-chan struct{}) {
		if turns == 0 {
			turns = s.turns
		}
		if r.dead || r.named() {
			return true, nil
		}
		return s.turnedLocked(turns)
	})
}

// await waits until something is so. look is called under the lock; it says what
// else to wait for.
func (s *Rosters) await(ctx context.Context, look func() (done bool, wait <-chan struct{})) error {
	for {
		s.mu.Lock()
		done, wait := look()
		s.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return gaveUp(ctx)
		case <-s.ctx.Done():
			return errStopped
		}
	}
}
