package session

import "sync"

// greeters check the first messages of sessions, a few at a time: the thousands
// that come when another edge dies wait in a list, not in goroutines.
type greeters struct {
	mu      sync.Mutex
	queue   []*session // guarded by mu
	running int        // guarded by mu
}

// maxGreeters is more than there are CPUs: a token's key may have to be fetched.
const maxGreeters = 16

// start has the messages of a session handled that was idle.
func (m *Manager) start(s *session) {
	if s.user != nil {
		m.serve(s.run)
		return
	}
	g := &m.greeters
	g.mu.Lock()
	g.queue = append(g.queue, s)
	more := g.running < maxGreeters
	if more {
		g.running++
	}
	g.mu.Unlock()
	if more {
		m.serve(m.greet)
	}
}

// greet works until nobody waits.
func (m *Manager) greet() {
	g := &m.greeters
	for {
		g.mu.Lock()
		if len(g.queue) == 0 {
			g.queue = nil
			g.running--
			g.mu.Unlock()
			return
		}
		s := g.queue[0]
		g.queue[0] = nil
		g.queue = g.queue[1:]
		g.mu.Unlock()
		s.run()
	}
}
