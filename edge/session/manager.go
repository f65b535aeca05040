package session

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"

	"selvedge/edge/cache"
	"selvedge/edge/fanout"
	"selvedge/edge/keyed"
	"selvedge/edge/objects"
	"selvedge/edge/roster"
	"selvedge/edge/upstream"
	"selvedge/internal/identity"
	"selvedge/wire"
)

// Upstream is where a manager asks what it doesn't know.
type Upstream interface {
	Query(ctx context.Context, q *wire.Query) (*wire.Answer, error)
	Want(p wire.LogID, wants ...upstream.Want)
	Drop(p wire.LogID, keys ...wire.Key)
	Signal(s *wire.Signal) error
	// Fresh is when the last watermark of a log came; zero = none did yet.
	Fresh(p wire.LogID) time.Time
}

// Engine is the part of fanout.Engine that sessions use.
type Engine interface {
	Join(user wire.UserID, ch *cache.Channel, from wire.Seq, joined fanout.Packets)
	Leave(user wire.UserID, ch *cache.Channel, left fanout.Packets)
	Signal(ch *cache.Channel, from wire.UserID, sig fanout.Packets)
	Object(ch *cache.Channel, o fanout.Object)
	Seen(v wire.Seq)
	Covered(p wire.LogID)
	Numbers() *fanout.Numbers
}

// Events are what a manager reports. Unset ones are filled in with no-ops.
type Events struct {
	Resume func(result string)                   // "fresh", "resumed", "refused"
	Query  func(kind string, took time.Duration) // a client's request was answered
	Fill   func(result string)                   // "ok", "failed"
	// Cache is called when n objects, rosters, rooms, pages or welcomes were asked
	// for: result is "hit" or "miss".
	Cache func(kind, result string, n int)
	// Asked is called when the core is asked for a welcome, with one of Reasons.
	Asked func(why string)
}

func (e Events) withDefaults() Events {
	if e.Resume == nil {
		e.Resume = func(string) {}
	}
	if e.Query == nil {
		e.Query = func(string, time.Duration) {}
	}
	if e.Fill == nil {
		e.Fill = func(string) {}
	}
	if e.Cache == nil {
		e.Cache = func(string, string, int) {}
	}
	if e.Asked == nil {
		e.Asked = func(string) {}
	}
	return e
}

// Config sets up a Manager. It is not modified.
type Config struct {
	Cache    *cache.Cache
	Upstream Upstream
	// Siblings are asked for documents before the core is; nil = there are none.
	Siblings objects.Siblings
	Verify   func(ctx context.Context, token string) (identity.Claims, error)
	Edge     wire.EdgeInfo
	Ping     time.Duration
	// StateBytes is how much memory documents and rosters may take, in bytes.
	StateBytes int
	Logger     *slog.Logger
	Events     Events
}

const (
	// queryTimeout bounds a question to the core, the wait for a link included.
	queryTimeout = 8 * time.Second
	// linger is how long a user without sockets stays loaded: most come back.
	linger = 30 * time.Second
)

// Manager keeps an edge's users and sessions. It implements fanout.Sessions;
// its other methods are safe for concurrent use.
type Manager struct {
	cfg    Config
	ctx    context.Context // ends when Run does
	bound  time.Time       // when Bind was called
	wg     sync.WaitGroup  // every goroutine that a message or a record started
	engine Engine          // set once by Run, before the first message
	epoch  atomic.Pointer[string]
	// learning keeps the epoch while something is learned of an answer.
	learning sync.RWMutex

	mu      sync.Mutex
	users   *keyed.Set[wire.UserID, user] // guarded by mu
	lingers map[*user]*time.Timer         // guarded by mu: users without sessions, until they are forgotten
	stopped bool                          // guarded by mu; no new goroutines

	serving atomic.Int64 // goroutines that handle what clients said

	greeters greeters
	hellos   hellos

	seen  seen
	asked singleflight.Group // QRoom by room
	fills fills

	objects *objects.Objects
	rosters *roster.Rosters
	lasts   lasts
	pages   pages
	begun   begun
	told    tellings
	turns   turns

	mentions *rate.Limiter
}

// New is a Manager; Bind and Run make it work.
func New(cfg Config) *Manager {
	cfg.Events = cfg.Events.withDefaults()
	m := &Manager{
		cfg: cfg, users: newUsers(), lingers: map[*user]*time.Timer{},
		hellos:   hellos{kick: make(chan struct{}, 1), readers: newHelloReaders(), new: map[*user]*newcomer{}},
		seen:     seen{busy: map[*op]wire.Seq{}},
		lasts:    lasts{of: map[*cache.Channel]last{}},
		told:     newTellings(),
		mentions: newMentions(),
		pages:    pages{floors: map[*cache.Channel]floor{}},
		fills:    fills{asked: map[*cache.Channel]wire.Seq{}, reach: map[wire.LogID]wire.Seq{}, cut: map[wire.LogID]wire.Seq{}, tight: map[wire.LogID]int{}},
	}
	m.objects = objects.New(objects.Config{
		Upstream: cfg.Upstream, Siblings: cfg.Siblings, Budget: cfg.StateBytes / 2, Logger: cfg.Logger,
		Asked: func(hit bool) { cfg.Events.Cache("object", hitOrMiss(hit), 1) },
	})
	m.rosters = roster.New(roster.Config{
		Upstream: cfg.Upstream, Budget: int64(cfg.StateBytes / 2), Logger: cfg.Logger,
		Events: roster.Events{Asked: func(kind string, hit bool) { cfg.Events.Cache(kind, hitOrMiss(hit), 1) }},
	})
	empty := ""
	m.epoch.Store(&empty)
	return m
}

func hitOrMiss(hit bool) string {
	if hit {
		return "hit"
	}
	return "miss"
}

// Bind gives the manager its engine, and the context under which it works. It
// is called once, before the first message.
func (m *Manager) Bind(ctx context.Context, e Engine) { m.ctx, m.engine, m.bound = ctx, e, time.Now() }

// Run asks for the users of sessions that begin until ctx ends, and waits then
// for what is under way.
func (m *Manager) Run(ctx context.Context) error {
	m.wg.Go(func() { _ = m.objects.Run(ctx) }) // it ends with ctx only
	m.wg.Go(func() { _ = m.rosters.Run(ctx) })
	m.sendHellos(ctx)
	m.mu.Lock()
	m.stopped = true
	for _, t := range m.lingers {
		t.Stop()
	}
	m.mu.Unlock()
	m.wg.Wait()
	return nil
}

// spawn runs fn in a goroutine that Run waits for.
func (m *Manager) spawn(fn func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.stopped {
		m.wg.Go(fn)
	}
}

// serve is spawn for what a client has said.
func (m *Manager) serve(fn func()) {
	m.serving.Add(1)
	m.spawn(func() {
		defer m.serving.Add(-1)
		fn()
	})
}

// Idle reports whether everything that clients have said is answered, but for
// hellos. After Run it means nothing.
func (m *Manager) Idle() bool { return m.serving.Load() == 0 }

// SetEpoch tells the identity of the logs that are followed from now on. If it
// changed, every user is forgotten; their sockets are the engine's to close.
func (m *Manager) SetEpoch(epoch string) {
	m.learning.Lock()
	old := *m.epoch.Swap(&epoch)
	m.learning.Unlock()
	if old == epoch || old == "" {
		return
	}
	m.mu.Lock()
	users := m.users
	m.users = newUsers()
	m.mu.Unlock()
	for u := range users.All() {
		m.drop(u)
	}
	m.turns.n.Add(1)
	m.objects.Reset()
	m.rosters.Reset()
	m.turns.n.Add(1)
	m.lasts.reset()
	m.begun.reset()
	m.seen.reset()
}

// Users is the number of users that are loaded.
func (m *Manager) Users() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.users.Len()
}

// StateBytes is how much memory documents and rosters take, in bytes.
func (m *Manager) StateBytes() int { return m.objects.Bytes() + int(m.rosters.Bytes()) }

// query asks the core on a session's behalf.
func (m *Manager) query(q *wire.Query) (*wire.Answer, error) {
	ctx, cancel := context.WithTimeout(m.ctx, queryTimeout)
	defer cancel()
	return m.cfg.Upstream.Query(ctx, q)
}

// acquire holds a channel, and asks for its interest if nobody did before, from
// where since says that it is needed; see want.
func (m *Manager) acquire(name wire.Channel, since func(*cache.Channel) wire.Seq) *cache.Channel {
	ch, first := m.cfg.Cache.Acquire(name)
	if first {
		m.want(ch, since(ch))
	}
	return ch
}

// acquireRoom is acquire for a room's channel.
func (m *Manager) acquireRoom(id wire.RoomID, since func(*cache.Channel) wire.Seq) *cache.Channel {
	ch, first := m.cfg.Cache.AcquireRoom(id)
	if first {
		m.want(ch, since(ch))
	}
	return ch
}

// want asks for a channel's interest. since may come from a client: what lies
// ahead of us is never taken for had, or a forged cursor would spoil the channel
// for everybody here.
func (m *Manager) want(ch *cache.Channel, since wire.Seq) {
	since = min(since, m.cfg.Cache.Log(ch.P).Pos())
	m.cfg.Upstream.Want(ch.P, upstream.Want{Key: wire.FramesKey(ch.Name), Since: since, Token: ch})
}

func (m *Manager) release(ch *cache.Channel) {
	if m.cfg.Cache.Release(ch) {
		m.lasts.forget(ch)
		m.pages.forget(ch)
		m.cfg.Upstream.Drop(ch.P, wire.FramesKey(ch.Name))
	}
}
