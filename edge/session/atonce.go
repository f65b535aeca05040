package session

import "sync/atomic"

// turns count the beginnings and ends of the times at which state records are taken:
// odd = some are being taken. So an answer that is put together of several things can
// be known to be of one moment.
type turns struct{ n atomic.Uint64 }

// same reports whether no records were taken since n was before.
func (t *turns) same(before uint64) bool { return before%2 == 0 && t.n.Load() == before }

// mostTurns is how often an answer is put together, at most.
const mostTurns = 4

// atOnce calls read, which puts an answer together, and again if records were taken
// meanwhile: waiting for the core is done by then. So the answer is of one moment,
// unless records come each time.
func (m *Manager) atOnce(read func() error) error {
	for range mostTurns {
		before := m.turns.n.Load()
		if err := read(); err != nil || m.turns.same(before) {
			return err
		}
	}
	return nil
}
