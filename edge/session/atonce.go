package session

import (
	"context"
	"sync/atomic"

	"selvedge/wire"
)

// turns count the beginnings and ends of the times at which state records are taken:
// odd = some are being taken. So an answer that is put together of several things can
// be known to be of one moment.
type turns struct{ n atomic.Uint64 }

// same reports whether no records were taken since n was before.
func (t *turns) same(before uint64) bool { return before%2 == 0 && t.n.Load() == before }

// mostTurns is how often an answer is put together, at most.
const mostTurns = 4

// atOnce calls read, which puts an answer together and reports the latest state position
// that any part of it was read at; and again if records were taken meanwhile, or if a
// part is ahead of the stream here: then it waits for the stream. Waiting for the core
// is done by the next time. It reports whether the answer is of one moment; it is not
// if records came each time. key is any interest: it is asked for to learn how far the
// stream is.
func (m *Manager) atOnce(ctx context.Context, key wire.Key, read func() (wire.Seq, error)) (once bool, err error) {
	for range mostTurns {
		before := m.turns.n.Load()
		newest, err := read()
		if err != nil {
			return false, err
		}
		if !m.turns.same(before) {
			continue
		}
		if newest <= m.rosters.Position() {
			return true, nil
		}
		if err := m.rosters.Settle(ctx, key, newest); err != nil {
			return false, err
		}
	}
	return false, nil
}
