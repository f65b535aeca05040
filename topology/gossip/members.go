package gossip

import (
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"

	"selvedge/topology"
)

// members is what memberlist has told of the live nodes. It is memberlist's
// delegate for descriptions, events and conflicts. Those calls come with
// memberlist's lock held: they must not call into it, and copy what they keep.
type members struct {
	logger  *slog.Logger
	events  Events
	refused *refusals
	lost    *lost

	// resized is told how many nodes are alive, from NotifyJoin and NotifyLeave;
	// fixed, nil = nobody.
	resized func(nodes int)

	current atomic.Pointer[topology.Snapshot]

	mu        sync.Mutex
	self      topology.Node
	meta      []byte // self, encoded: never more than topology.MaxMeta bytes
	nodes     map[topology.NodeID]member
	version   uint64
	changes   uint64 // of who is there, not of what they say
	watchers  map[chan struct{}]struct{}
	conflicts map[topology.NodeID]conflict
}

type member struct {
	addr netip.AddrPort
	node topology.Node
	ok   bool // it could be parsed
}

type conflict struct {
	known, other string
	at           time.Time // last heard of
}

// conflictFor is how long a conflict counts after it was last heard of. Whoever
// has the name wrongly tries to join at least as often.
const conflictFor = 30 * time.Second

func newMembers(self topology.Node, logger *slog.Logger, events Events, refused *refusals) (*members, error) {
	meta, err := self.AppendMeta(nil)
	if err != nil {
		return nil, err
	}
	m := &members{
		logger:    logger,
		events:    events,
		refused:   refused,
		lost:      newLost(),
		self:      self,
		meta:      meta,
		nodes:     map[topology.NodeID]member{},
		watchers:  map[chan struct{}]struct{}{},
		conflicts: map[topology.NodeID]conflict{},
	}
	m.current.Store(&topology.Snapshot{})
	return m, nil
}

func (m *members) snapshot() topology.Snapshot { return *m.current.Load() }

func (m *members) watch() (<-chan struct{}, func()) {
	ch := make(chan struct{}, 1) // never closed
	m.mu.Lock()
	defer m.mu.Unlock()
	m.watchers[ch] = struct{}{}
	return ch, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.watchers, ch)
	}
}

// changedLocked makes the next snapshot and tells the watchers.
func (m *members) changedLocked() {
	m.version++
	if m.resized != nil {
		m.resized(len(m.nodes))
	}
	nodes := make([]topology.Node, 0, len(m.nodes))
	for _, n := range m.nodes {
		if n.ok {
			nodes = append(nodes, n.node)
		}
	}
	s := topology.NewSnapshot(m.version, nodes)
	m.current.Store(&s)
	for ch := range m.watchers {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

func (m *members) updateSelf(change func(*topology.Node)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := m.self
	change(&next)
	next.ID = m.self.ID
	meta, err := next.AppendMeta(nil)
	if err != nil {
		return err
	}
	m.self, m.meta = next, meta
	return nil
}

func (m *members) selfAddr() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.nodes[m.self.ID].addr.String()
}

// alone says that nobody else is alive.
func (m *members) alone() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id := range m.nodes {
		if id != m.self.ID {
			return false
		}
	}
	return true
}

// generation changes whenever a node comes, goes or gets another address.
func (m *members) generation() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.changes
}

// has says that a live node, maybe this one, has this address.
func (m *members) has(addr netip.AddrPort) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range m.nodes {
		if n.addr == addr {
			return true
		}
	}
	return false
}

// selfConflict is the conflict about this node's own name, while there is one.
func (m *members) selfConflict() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.conflicts[m.self.ID]
	if !ok || time.Since(c.at) > conflictFor {
		return nil
	}
	return explained(ErrNameTaken, "gossip: the node name %q is used at %s and at %s: give one of them another --name", m.self.ID, c.known, c.other)
}

// forgetSelfConflict is called before a join, which would hear of it again.
func (m *members) forgetSelfConflict() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c, ok := m.conflicts[m.self.ID]; ok {
		c.at = time.Time{} // kept, so that it isn't logged again
		m.conflicts[m.self.ID] = c
	}
}

// NotifyJoin is memberlist.EventDelegate's.
func (m *members) NotifyJoin(n *memberlist.Node) { m.learn(n, "join") }

// NotifyUpdate is memberlist.EventDelegate's.
func (m *members) NotifyUpdate(n *memberlist.Node) { m.learn(n, "change") }

func (m *members) learn(n *memberlist.Node, what string) {
	id := topology.NodeID(n.Name)
	node, err := topology.ParseMeta(n.Meta)
	if err == nil {
		err = topology.CheckNodeID(id)
	}
	node.ID = id
	addr := addrOf(n)

	m.mu.Lock()
	defer m.mu.Unlock()
	if old, ok := m.nodes[id]; !ok || old.addr != addr {
		m.changes++
	}
	m.nodes[id] = member{addr: addr, node: node, ok: err == nil}
	m.lost.remove(addr)
	if c, ok := m.conflicts[id]; ok && c.known != addr.String() {
		delete(m.conflicts, id) // the name has passed to another node
	}
	m.changedLocked()
	if err != nil {
		if m.refused.count(RefusedDescription, string(id)) {
			m.logger.Warn("ignoring a node whose description this version can't read", "peer", id, "addr", addr, "err", err)
		}
		return
	}
	m.logger.Debug("node seen", "by", what, "peer", id, "addr", addr, "role", node.Role, "region", node.Region, "state", node.State)
}

// NotifyLeave is memberlist.EventDelegate's: the node left or died.
func (m *members) NotifyLeave(n *memberlist.Node) {
	id := topology.NodeID(n.Name)

	m.mu.Lock()
	defer m.mu.Unlock()
	// memberlist doesn't tell a goodbye from a death. Who drains says goodbye.
	if old, ok := m.nodes[id]; ok && id != m.self.ID && old.node.State != topology.StateDraining {
		m.lost.add(old.addr)
	}
	delete(m.nodes, id)
	m.changes++
	if id != m.self.ID {
		delete(m.conflicts, id)
	}
	m.changedLocked()
	m.logger.Info("node gone", "peer", id, "addr", addrOf(n))
}

// NotifyConflict is memberlist.ConflictDelegate's: other claims the name of known.
func (m *members) NotifyConflict(known, other *memberlist.Node) {
	id := topology.NodeID(known.Name)
	c := conflict{known: addrOf(known).String(), other: addrOf(other).String(), at: time.Now()}

	m.mu.Lock()
	before := m.conflicts[id]
	m.conflicts[id] = c
	m.mu.Unlock()
	if m.refused.count(RefusedName, c.other+" "+string(id)) {
		m.logger.Error("two nodes have the same name: give one of them another", "peer", id, "addr", c.known, "other", c.other)
	}
	if m.events.Conflict != nil && (before.known != c.known || before.other != c.other) {
		m.events.Conflict(id, c.known, c.other)
	}
}

// NodeMeta is memberlist.Delegate's. It never exceeds the limit, at which
// memberlist would panic: meta is as AppendMeta made it.
func (m *members) NodeMeta(int) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.meta
}

// NotifyMsg is memberlist.Delegate's: nobody sends messages.
func (m *members) NotifyMsg([]byte) {}

// GetBroadcasts is memberlist.Delegate's: there are none but memberlist's own.
func (m *members) GetBroadcasts(int, int) [][]byte { return nil }

// LocalState is memberlist.Delegate's: there is none but memberlist's own.
func (m *members) LocalState(bool) []byte { return nil }

// MergeRemoteState is memberlist.Delegate's.
func (m *members) MergeRemoteState([]byte, bool) {}

func addrOf(n *memberlist.Node) netip.AddrPort {
	ip, _ := netip.AddrFromSlice(n.Addr)
	return netip.AddrPortFrom(ip.Unmap(), n.Port)
}
