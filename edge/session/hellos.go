package session

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"selvedge/edge/upstream"
	"selvedge/wire"
)

// hellos asks the core for the users of sessions that begin. One that comes
// alone is asked for at once; those that come within helloGap of the last
// question, while it is under way, go together in the next. So a storm of them
// costs few questions, and none of them a goroutine.
type hellos struct {
	kick chan struct{} // capacity 1, never closed: there is something in ready

	mu     sync.Mutex
	unsent map[*user][]*greeting // guarded by mu: the interest in their user has no number yet
	ready  []*greeting           // guarded by mu
	flying int                   // guarded by mu: questions under way
	last   time.Time             // guarded by mu: when the last one was sent
}

const (
	// helloGap is what a hello may wait for company: a question costs an edge and
	// its core several times what each hello adds to it.
	helloGap = 3 * time.Millisecond
	// maxHelloQueries bounds the questions under way: at 150 ms to the core and
	// back, some 27,000 hellos per second.
	maxHelloQueries = 64
)

// greeting is a session on its way from hello to welcome.
type greeting struct {
	s        *session
	u        *user
	resume   *resume // nil = afresh
	topics   []wire.Channel
	expires  time.Time // of the token, with leeway
	deadline time.Time
}

var errNoLink = errors.New("this edge has no link to a core")

// ask queues a greeting; its session goes on with the answer.
func (h *hellos) ask(g *greeting) {
	h.mu.Lock()
	g.u.helloing++
	if g.u.marker == 0 {
		h.unsent[g.u] = append(h.unsent[g.u], g)
	} else {
		h.ready = append(h.ready, g)
	}
	h.mu.Unlock()
	h.wake()
}

// sent takes the number of the delta that carries the interest in u. It is
// called under the upstream's lock.
func (h *hellos) sent(u *user, id uint64) {
	h.mu.Lock()
	u.marker = id
	h.ready = append(h.ready, h.unsent[u]...)
	delete(h.unsent, u)
	h.mu.Unlock()
	h.wake()
}

func (h *hellos) wake() {
	select {
	case h.kick <- struct{}{}:
	default:
	}
}

// next is a batch to ask for now, or nil. wait, if not zero, is when to look
// again.
func (h *hellos) next(now time.Time) (batch []*greeting, wait time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := min(len(h.ready), wire.MaxHellos)
	if n == 0 || h.flying == maxHelloQueries {
		return nil, 0
	}
	if since := now.Sub(h.last); n < wire.MaxHellos && h.flying > 0 && since < helloGap {
		return nil, helloGap - since
	}
	h.flying++
	h.last = now
	batch = h.ready[:n:n]
	if h.ready = h.ready[n:]; len(h.ready) == 0 {
		h.ready = nil
	}
	return batch, 0
}

// done ends the question of a batch; rest were not answered and come first in
// the next.
func (h *hellos) done(rest []*greeting) {
	h.mu.Lock()
	h.flying--
	h.ready = append(rest, h.ready...)
	h.mu.Unlock()
	h.wake()
}

// expired takes out what waits for too long: without a link, or for answers of
// a core that is too slow.
func (h *hellos) expired(now time.Time) (out []*greeting) {
	h.mu.Lock()
	defer h.mu.Unlock()
	keep := func(list []*greeting) []*greeting {
		return slices.DeleteFunc(list, func(g *greeting) bool {
			late := now.After(g.deadline)
			if late {
				out = append(out, g)
			}
			return late
		})
	}
	h.ready = keep(h.ready)
	for u, list := range h.unsent {
		if h.unsent[u] = keep(list); len(h.unsent[u]) == 0 {
			delete(h.unsent, u)
		}
	}
	return out
}

// sendHellos asks until ctx ends.
func (m *Manager) sendHellos(ctx context.Context) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	gap := time.NewTimer(0)
	defer gap.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.hellos.kick:
		case <-gap.C:
		case now := <-t.C:
			for _, g := range m.hellos.expired(now) {
				m.unavailable(g, errNoLink)
			}
		}
		if wait := m.askAll(); wait > 0 {
			gap.Reset(wait)
		}
	}
}

// askAll asks for all that can be asked for now. wait, if not zero, is when to
// look again.
func (m *Manager) askAll() (wait time.Duration) {
	for {
		batch, wait := m.hellos.next(time.Now())
		if batch == nil {
			return wait
		}
		m.spawn(func() { m.hellos.done(m.askHellos(batch)) })
	}
}

// askHellos asks for a batch and begins its sessions. It returns those that the
// answer had no room for.
func (m *Manager) askHellos(batch []*greeting) (rest []*greeting) {
	q := &wire.Query{T: wire.QHello, P: wire.StateLog}
	place := make(map[*user]int, len(batch)) // in q.Users
	m.hellos.mu.Lock()
	for _, g := range batch {
		q.Marker = max(q.Marker, g.u.marker)
	}
	m.hellos.mu.Unlock()
	for _, g := range batch {
		if _, ok := place[g.u]; !ok {
			place[g.u] = len(q.Users)
			q.Users = append(q.Users, g.u.id)
		}
		q.V = max(q.V, g.u.seen())
	}
	a, answers, err := m.queryHellos(q)
	for _, g := range batch {
		switch n := place[g.u]; {
		case err != nil:
			m.unavailable(g, err)
		case n >= len(answers):
			rest = append(rest, g)
		default:
			g.s.welcome(g, a, &answers[n])
		}
	}
	return rest
}

func (m *Manager) queryHellos(q *wire.Query) (*wire.Answer, []wire.Hello, error) {
	a, err := m.query(q)
	if err != nil {
		return nil, nil, err
	}
	if a.Err != nil {
		return nil, nil, answerError(a.Err)
	}
	if a.Epoch != *m.epoch.Load() {
		return nil, nil, errors.New("the logs are changing") // the link will tell
	}
	answers, err := wire.ParseHellos(a.Hellos)
	if err == nil && len(answers) == 0 {
		err = upstream.ErrUnavailable
	}
	return a, answers, err
}

// unavailable ends a greeting without an answer.
func (m *Manager) unavailable(g *greeting, err error) {
	m.cfg.Logger.Warn("hello failed", "err", err)
	g.s.close(wire.CloseReconnect, "unavailable: "+err.Error())
	m.greeted(g)
}

// greeted lets the session of a greeting go on.
func (m *Manager) greeted(g *greeting) {
	m.hellos.mu.Lock()
	g.u.helloing--
	quiet := g.u.helloing == 0
	m.hellos.mu.Unlock()
	if quiet {
		g.u.forgetRecent()
	}
	g.s.goOn()
}
