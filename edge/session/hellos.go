package session

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"selvedge/edge/upstream"
	"selvedge/internal/bug"
	"selvedge/wire"
)

// hellos asks the core for the users of sessions that begin. One that comes
// alone is asked for at once; those that come within helloGap of the last
// question, while it is under way, go together in the next. So a storm of them
// costs few questions, and none of them a goroutine, and those that resume go first.
type hellos struct {
	kick chan struct{} // capacity 1, never closed: there is something in ready
	// readers are those that nobody uses, never closed. There is one per CPU: an
	// answer for a large batch is parsed to 100 KB, which more of them at a time
	// would need many of.
	readers chan *wire.HelloReader

	mu     sync.Mutex
	new    map[*user]*newcomer // guarded by mu
	ready  greetings           // guarded by mu
	flying int                 // guarded by mu: questions under way
	last   time.Time           // guarded by mu: when the last one was sent
	back   frequency           // guarded by mu: of sessions that come back
}

const (
	// helloGap is what a hello may wait for company: a question costs an edge and
	// its core several times what each hello adds to it.
	helloGap = 3 * time.Millisecond
	// stormGap is that for sessions that come back, while more than stormRate of
	// them do so in a second: another edge has died, or a network. The core's work
	// then grows with the time that they take, rather than with their number. Who is
	// new waits for nobody, and takes those along who wait.
	//
	// The longer a storm lasts the longer they wait: a tenth of that, up to longestGap.
	// So the questions of a storm are few however slow the machines are.
	stormGap   = 250 * time.Millisecond
	longestGap = 2 * time.Second
	stormPart  = 10
	stormRate  = 20
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
	focus    []wire.RoomID
	focused  bool      // only focus's frames come
	expires  time.Time // of the token, with leeway
	deadline time.Time
}

// newcomer is a user with hellos under way, or whose first one has yet to be
// answered: until then, hellos have to tell the core to wait for the interest
// in the user. It is apart from the user, since hardly any are at a time.
type newcomer struct {
	marker  uint64      // the number of the interest's delta; 0 = not sent yet
	first   bool        // no hello has been answered yet
	gone    bool        // the user is
	waiting int         // hellos without their answer
	unsent  []*greeting // wait for marker
}

// fresh reports whether the session comes for the first time.
func (g *greeting) fresh() bool { return g.resume == nil }

// frequency counts events in this second and the last.
type frequency struct {
	second    int64
	now, last int
	began     int64 // the second in which the storm began; 0 = there is none
}

func (r *frequency) add(now time.Time) {
	r.turn(now)
	if r.now++; r.now > stormRate && r.began == 0 {
		r.began = r.second
	}
}

// storm reports whether there were more than stormRate in one of both, and since when
// in a row.
func (r *frequency) storm(now time.Time) (lasts time.Duration, is bool) {
	r.turn(now)
	if r.began == 0 {
		return 0, false
	}
	return now.Sub(time.Unix(r.began, 0)), true
}

func (r *frequency) turn(now time.Time) {
	switch s := now.Unix(); s - r.second {
	case 0:
	case 1:
		r.second, r.last, r.now = s, r.now, 0
	default:
		r.second, r.last, r.now = s, 0, 0
	}
	if max(r.now, r.last) <= stormRate {
		r.began = 0
	}
}

var errNoLink = errors.New("this edge has no link to a core")

// expect is told of a user before its interest is asked for.
func (h *hellos) expect(u *user) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.new[u] = &newcomer{first: true}
}

// forget is told of a user that goes.
func (h *hellos) forget(u *user) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := h.new[u]; n != nil {
		n.gone = true
		h.settleLocked(u, n)
	}
}

// ask queues a greeting; its session goes on with the answer.
func (h *hellos) ask(g *greeting) {
	h.mu.Lock()
	n := h.new[g.u]
	if n == nil {
		n = &newcomer{}
		h.new[g.u] = n
	}
	n.waiting++
	if g.resume != nil {
		h.back.add(time.Now())
	}
	if n.first && n.marker == 0 {
		n.unsent = append(n.unsent, g)
	} else {
		h.ready.add(g)
	}
	h.mu.Unlock()
	h.wake()
}

// sent takes the number of the delta that carries the interest in u. It is
// called under the upstream's lock.
func (h *hellos) sent(u *user, id uint64) {
	h.mu.Lock()
	if n := h.new[u]; n != nil {
		n.marker = id
		h.ready.add(n.unsent...)
		n.unsent = nil
	}
	h.mu.Unlock()
	h.wake()
}

// answered ends a greeting; welcomed says that it had an answer. quiet says that
// no other hello of the user waits.
func (h *hellos) answered(u *user, welcomed bool) (quiet bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := h.new[u]
	n.waiting--
	n.first = n.first && !welcomed
	h.settleLocked(u, n)
	return n.waiting == 0
}

func (h *hellos) settleLocked(u *user, n *newcomer) {
	if n.waiting == 0 && (!n.first || n.gone) {
		delete(h.new, u)
	}
}

// awaits reports whether a hello of u waits for its answer.
func (h *hellos) awaits(u *user) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := h.new[u]
	return n != nil && n.waiting > 0
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
	n := min(h.ready.len(), wire.MaxHellos)
	if n == 0 || h.flying == maxHelloQueries {
		return nil, 0
	}
	if since := now.Sub(h.last); n < wire.MaxHellos {
		gap := time.Duration(0)
		lasts, storm := h.back.storm(now)
		switch {
		case storm && len(h.ready.fresh) == 0:
			gap = min(max(stormGap, lasts/stormPart), longestGap)
		case h.flying > 0:
			gap = helloGap
		}
		if since < gap {
			return nil, gap - since
		}
	}
	h.flying++
	h.last = now
	return h.ready.take(), 0
}

// done ends the question of a batch; rest were not answered and come first in
// the next.
func (h *hellos) done(rest []*greeting) {
	h.mu.Lock()
	h.flying--
	h.ready.again(rest)
	h.mu.Unlock()
	h.wake()
}

// expired takes out what waits for too long: without a link, or for answers of
// a core that is too slow.
func (h *hellos) expired(now time.Time) (out []*greeting) {
	h.mu.Lock()
	defer h.mu.Unlock()
	late := func(g *greeting) bool {
		late := now.After(g.deadline)
		if late {
			out = append(out, g)
		}
		return late
	}
	h.ready.expire(late)
	for _, n := range h.new {
		n.unsent = slices.DeleteFunc(n.unsent, late)
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
			m.cfg.Cache.NextFills()
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
	q := &wire.Query{T: wire.QHello, P: wire.StateLog, V: m.Position()}
	place := make(map[*user]int, len(batch)) // in q.Users
	m.hellos.mu.Lock()
	for _, g := range batch {
		q.Marker = max(q.Marker, m.hellos.new[g.u].marker)
	}
	m.hellos.mu.Unlock()
	for _, g := range batch {
		if _, ok := place[g.u]; !ok {
			place[g.u] = len(q.Users)
			q.Users = append(q.Users, g.u.id())
		}
		q.V = max(q.V, g.u.seen())
	}
	at := m.cfg.Cache.Positions()
	var space helloSpace
	a, err := m.queryHellos(q, &space)
	bug.Linger(bug.OvertakingFill, 100*time.Millisecond)
	reader := <-m.hellos.readers
	var answers []wire.Hello
	if err == nil {
		answers, err = reader.Parse(a.Hellos)
	}
	if err == nil && len(answers) == 0 {
		err = upstream.ErrUnavailable
	}
	kept := false // of the answer, by a session that has more to ask
	for _, g := range batch {
		switch n := place[g.u]; {
		case err != nil:
			m.unavailable(g, err)
		case n >= len(answers):
			rest = append(rest, g)
		default:
			kept = !g.s.welcome(g, a, &answers[n], at) || kept
		}
	}
	if kept {
		reader = new(wire.HelloReader)
	} else {
		reader.Reset()
		space.reuse()
	}
	m.hellos.readers <- reader
	return rest
}

// queryHellos asks. The answer lies in space.
func (m *Manager) queryHellos(q *wire.Query, space *helloSpace) (*wire.Answer, error) {
	q.Space = space.take
	a, err := m.query(q)
	if err != nil {
		return nil, err
	}
	if a.Err != nil {
		return nil, answerError(a.Err)
	}
	if a.Epoch != *m.epoch.Load() {
		return nil, errors.New("the logs are changing") // the link will tell
	}
	space.keep(a.Hellos)
	return a, nil
}

// unavailable ends a greeting without an answer.
func (m *Manager) unavailable(g *greeting, err error) {
	m.cfg.Logger.Warn("hello failed", "err", err)
	g.s.close(wire.CloseReconnect, "unavailable: "+err.Error())
	m.greeted(g, false)
}

// greeted lets the session of a greeting go on.
func (m *Manager) greeted(g *greeting, welcomed bool) {
	if m.hellos.answered(g.u, welcomed) {
		g.u.forgetRecent()
	}
	g.s.goOn()
}
