package gossip

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"

	"selvedge/topology"
)

// Gossip is a running node. It is safe for concurrent use.
type Gossip struct {
	// Fixed.
	logger    *slog.Logger
	events    Events
	timing    Timing
	list      *memberlist.Memberlist
	transport *transport
	ring      *ring
	refusals  *refusals
	members   *members
	joiner    *joiner
	addr      string

	stop    context.CancelFunc
	running sync.WaitGroup
	updated chan struct{} // room for one token: the description changed; never closed

	mu     sync.Mutex    // never held while list waits
	closed bool          // no call of list may follow
	left   chan struct{} // closed by Leave when it is done; nil = nobody has called it
}

// Start binds and begins to gossip. It returns at once even if no seed answers:
// they are tried again in the background until one does. ctx bounds Start only;
// Close ends what it began.
//
// It fails with ErrBadConfig, ErrAddrInUse, topology.ErrBadNode or
// topology.ErrMetaTooLarge.
func Start(ctx context.Context, cfg Config) (*Gossip, error) {
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("gossip: %w", err)
	}
	logger := cfg.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	ring, err := newRing(cfg.Keys.Keys())
	if err != nil {
		return nil, fmt.Errorf("gossip: %w", err)
	}
	refused := newRefusals(logger)
	members, err := newMembers(cfg.Self, logger, cfg.Events, refused)
	if err != nil {
		return nil, fmt.Errorf("gossip: describing this node: %w", err)
	}

	g := &Gossip{
		logger:   logger,
		events:   cfg.Events,
		timing:   cfg.Timing.withDefaults(),
		ring:     ring,
		refusals: refused,
		members:  members,
		updated:  make(chan struct{}, 1),
	}
	mc := cfg.memberlistConfig()
	mc.Logger = log.New(newLogWriter(logger), "", 0)
	mc.Keyring = ring.list
	// memberlist reads it with the lock held that it also holds when it tells of who
	// comes and goes, and nowhere else.
	members.resized = func(nodes int) { mc.SuspicionMult = g.timing.suspicion(nodes) }
	mc.Delegate, mc.Events, mc.Conflict = members, members, members
	// Not ctx's child: whoever starts with a deadline doesn't want to end at it.
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	g.stop = stop
	if g.transport, err = newTransport(ctx, background, &cfg, mc, ring, refused); err != nil {
		stop()
		return nil, err
	}
	mc.Transport = g.transport
	if g.list, err = memberlist.Create(mc); err != nil {
		stop()
		_ = g.transport.Shutdown() // the cause is told
		return nil, fmt.Errorf("gossip: start at %s: %w", cfg.Bind, err)
	}
	g.addr = members.selfAddr()
	g.joiner = newJoiner(g, cfg.Seeds)

	g.running.Go(func() { g.joiner.run(background) })
	g.running.Go(func() { g.spreadUpdates(background) })
	g.running.Go(func() { g.followKeys(background, cfg.Keys) })
	return g, nil
}

// Addr is the address that this node advertises, as ip:port.
func (g *Gossip) Addr() string { return g.addr }

// Snapshot returns the nodes that are alive, this one included.
func (g *Gossip) Snapshot() topology.Snapshot { return g.members.snapshot() }

// Watch returns a channel that gets a token when the snapshot has changed since
// the last token was taken, and a function that ends it. The channel is never
// closed. Take the first snapshot after Watch, so that no change is missed.
func (g *Gossip) Watch() (<-chan struct{}, func()) { return g.members.watch() }

// LastError is why this node is alone though it has seeds, or that its name is
// taken (ErrNameTaken); nil when all is well.
func (g *Gossip) LastError() error { return g.joiner.lastError() }

// Update lets change edit this node's description, and tells the others. The ID
// stays as it is. It fails with topology.ErrBadNode or topology.ErrMetaTooLarge,
// and then nothing changed, or with ErrClosed.
func (g *Gossip) Update(change func(*topology.Node)) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || g.left != nil {
		return ErrClosed
	}
	if err := g.members.updateSelf(change); err != nil {
		return fmt.Errorf("gossip: describing this node: %w", err)
	}
	select {
	case g.updated <- struct{}{}:
	default:
	}
	return nil
}

// spreadUpdates tells the others what Update changed; several changes at once.
func (g *Gossip) spreadUpdates(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.updated:
		}
		// This waits until the news went out as often as gossip repeats it. If that takes
		// longer, it still will.
		if err := g.list.UpdateNode(g.timing.Probe); err != nil {
			g.logger.Debug("node description is still being spread", "err", err)
		}
	}
}

// Leave tells the others that this node goes, and returns when the news is out or
// after the timeout. The node then stays reachable until Close. Afterwards it
// isn't in anybody's snapshot. While another node has the same name nothing is
// told: the others then notice that this one is gone as they notice a crash.
func (g *Gossip) Leave(timeout time.Duration) error {
	g.mu.Lock()
	if g.closed || g.left != nil {
		g.mu.Unlock()
		return ErrClosed
	}
	left := make(chan struct{})
	defer close(left)
	g.left = left
	g.mu.Unlock()
	g.joiner.retire()
	if err := g.members.selfConflict(); err != nil {
		// The goodbye would be the other's who has this name.
		g.logger.Warn("going without a word, the others will notice", "err", err)
		return nil
	}
	if err := g.list.Leave(timeout); err != nil {
		return fmt.Errorf("gossip: leave: %w", err)
	}
	return nil
}

// Close ends gossip at once. Without Leave the others take it for a crash. It may
// be called again.
func (g *Gossip) Close() error {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return nil
	}
	g.closed = true
	left := g.left
	g.mu.Unlock()
	if left != nil {
		<-left
	}

	g.stop()
	err := g.list.Shutdown()
	g.running.Wait()
	if err != nil {
		return fmt.Errorf("gossip: close: %w", err)
	}
	return nil
}
