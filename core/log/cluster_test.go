package log_test

import (
	"log/slog"
	"slices"
	"sync"
	"testing"

	"selvedge/internal/identity"

	corelog "selvedge/core/log"
)

// town is where cores find each other: gossip, in one process.
type town struct {
	mu      sync.Mutex
	peers   map[string]corelog.Peer
	watches []chan struct{}
}

func newTown() *town { return &town{peers: map[string]corelog.Peer{}} }

// change edits what is known of a core.
func (t *town) change(name string, edit func(p *corelog.Peer)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.peers[name]
	p.Name = name
	edit(&p)
	t.peers[name] = p
	for _, w := range t.watches {
		select {
		case w <- struct{}{}:
		default:
		}
	}
}

func (t *town) addr(name string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.peers[name].Addr
}

func (t *town) forget(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.peers, name)
}

// resident is one core's view of the town.
type resident struct {
	*town
	name string
}

func (r resident) Announce(self corelog.Peer) error {
	r.change(self.Name, func(p *corelog.Peer) { p.Addr, p.Doubt = self.Addr, self.Doubt })
	return nil
}

func (r resident) Peers() []corelog.Peer {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []corelog.Peer
	for name, p := range r.peers {
		if name != r.name {
			out = append(out, p)
		}
	}
	return out
}

func (r resident) Watch() (<-chan struct{}, func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := make(chan struct{}, 1)
	r.watches = append(r.watches, w)
	return w, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.watches = slices.DeleteFunc(r.watches, func(other chan struct{}) bool { return other == w })
	}
}

// trio is three cores that may keep logs together.
type trio struct {
	t      testing.TB
	sync   corelog.Sync
	logger *slog.Logger // of all, nil = only if verbose
	town   *town
	names  []string
	dirs   map[string]string
	boots  map[string]string
	stores map[string]*corelog.Store
}

func newTrio(t testing.TB) *trio {
	t.Helper()
	c := &trio{t: t, town: newTown(), names: []string{"a", "b", "c"}, dirs: map[string]string{}, boots: map[string]string{}, stores: map[string]*corelog.Store{}}
	for _, name := range c.names {
		c.dirs[name], c.boots[name] = t.TempDir(), "one"
	}
	t.Cleanup(func() { c.stop(c.names...) })
	return c
}

func (c *trio) config(name string) corelog.Config {
	c.t.Helper()
	id, err := identity.DevNode(identity.RoleCore, name)
	if err != nil {
		c.t.Fatal(err)
	}
	cfg := corelog.Config{
		Dir: c.dirs[name], Logs: 2, BootID: func() string { return c.boots[name] }, Replicas: 3, Sync: c.sync,
		Cluster: &corelog.Cluster{Name: name, Addr: "127.0.0.1:0", Identity: id, Peers: resident{c.town, name}},
	}
	cfg.Logger = c.logger
	if testing.Verbose() && c.logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(c.t.Output(), nil)).With("core", name)
	}
	return cfg
}

// start starts cores at the same time, and returns when all are open.
func (c *trio) start(names ...string) {
	c.t.Helper()
	var wg sync.WaitGroup
	var mu sync.Mutex
	for _, name := range names {
		cfg := c.config(name)
		wg.Go(func() {
			s, err := corelog.Open(c.t.Context(), cfg)
			if err != nil {
				c.t.Errorf("core %s: %v", name, err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			c.stores[name] = s
			c.town.change(name, func(p *corelog.Peer) { p.Ready = true })
		})
	}
	wg.Wait()
	if c.t.Failed() {
		c.t.FailNow()
	}
}

// stop stops cores in order, one after the other.
func (c *trio) stop(names ...string) {
	c.t.Helper()
	for _, name := range names {
		s := c.stores[name]
		if s == nil {
			continue
		}
		delete(c.stores, name)
		c.town.forget(name)
		if err := s.Close(); err != nil {
			c.t.Errorf("close %s: %v", name, err)
		}
	}
}

// settle returns when no core is in doubt.
func (c *trio) settle() {
	c.t.Helper()
	eventually(c.t, "nobody is in doubt", func() bool {
		c.town.mu.Lock()
		defer c.town.mu.Unlock()
		for _, p := range c.town.peers {
			if p.Doubt != "" {
				return false
			}
		}
		return true
	})
}
