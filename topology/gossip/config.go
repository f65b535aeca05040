package gossip

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/hashicorp/memberlist"

	"selvedge/topology"
)

// Errors of this package.
var (
	// ErrAddrInUse: another process has the address to bind.
	ErrAddrInUse = errors.New("address in use")
	// ErrWrongKey: a seed answered with another cluster's key.
	ErrWrongKey = errors.New("wrong gossip key")
	// ErrWrongCluster: a seed is of a cluster with another name.
	ErrWrongCluster = errors.New("another cluster")
	// ErrNotGossip: a seed answered, but not with gossip.
	ErrNotGossip = errors.New("not a gossip address")
	// ErrNameTaken: another live node has our name.
	ErrNameTaken = errors.New("node name taken")
	// ErrBadConfig: a setting can't work.
	ErrBadConfig = errors.New("bad gossip configuration")
	// ErrClosed: the node has left or was closed.
	ErrClosed = errors.New("gossip is closed")
)

// explained is an error whose text says it all, and that is kind.
func explained(kind error, format string, args ...any) error {
	return &hint{kind, fmt.Sprintf(format, args...)}
}

type hint struct {
	kind error
	text string
}

func (h *hint) Error() string { return h.text }
func (h *hint) Unwrap() error { return h.kind }

// Config is what Start needs. It isn't modified.
type Config struct {
	// Self is how this node describes itself; Update changes it later.
	Self topology.Node
	// Bind is the host:port for both TCP and UDP. Port 0 takes a free one; an
	// empty or unspecified host binds all interfaces.
	Bind string
	// Advertise is the host:port at which others reach this node. Empty: the bound
	// address, or the first private one of this machine if all are bound.
	Advertise string
	// Seeds are host:port of nodes to join through; one that answers is enough. A
	// name that resolves to many addresses stands for all of them. None: this node
	// waits for others.
	Seeds []string
	// Keys encrypt all traffic. Each node must accept what the others send with.
	Keys KeySource
	// Cluster is the cluster's name, the same on every node; nodes of another are
	// refused. Up to 64 bytes, as CheckNodeID has it; "" is a name, too.
	Cluster string
	// Logger gets what happens; nil is silence.
	Logger *slog.Logger
	// Transport replaces the sockets, for simulated networks; without Bind it also
	// says which address to advertise. It is closed with the node.
	Transport memberlist.Transport
	// Events are called when something happens.
	Events Events
	// Timing says how fast failures are found.
	Timing Timing
}

// Events are called from gossip's own goroutines: they must not block, nor call
// back into Gossip. Any may be nil.
type Events struct {
	// Joined: there are other nodes now, after there had been none. It takes seeds.
	Joined func()
	// JoinFailed: the reason why no seed could be joined is a new one.
	JoinFailed func(error)
	// Conflict: two nodes use one name, at these addresses. Once per pair.
	Conflict func(id topology.NodeID, known, other string)
}

func (c *Config) check() error {
	if err := topology.CheckNodeID(c.Self.ID); err != nil {
		return fmt.Errorf("%w: %w", ErrBadConfig, err)
	}
	if c.Keys == nil {
		return fmt.Errorf("%w: there are no keys", ErrBadConfig)
	}
	if err := CheckCluster(c.Cluster); err != nil {
		return err
	}
	return c.Timing.Check()
}

// maxCluster is what a cluster's name may have in bytes: each packet carries it.
const maxCluster = 64

// CheckCluster reports why a text can't name a cluster, as ErrBadConfig.
func CheckCluster(name string) error {
	if len(name) > maxCluster {
		return fmt.Errorf("%w: the cluster's name has %d bytes, at most %d are allowed", ErrBadConfig, len(name), maxCluster)
	}
	if name == "" {
		return nil
	}
	if err := topology.CheckNodeID(topology.NodeID(name)); err != nil {
		return fmt.Errorf("%w: the cluster's name: %w", ErrBadConfig, err)
	}
	return nil
}

// reclaimAfter is how long a name stays a dead node's.
const reclaimAfter = time.Second

// memberlistConfig translates. Delegates and addresses are added by Start.
func (c *Config) memberlistConfig() *memberlist.Config {
	t := c.Timing.withDefaults()
	m := memberlist.DefaultLANConfig()
	m.Name = string(c.Self.ID)
	m.Label = c.Cluster
	m.TCPTimeout = t.Stream
	m.ProbeInterval = t.Probe
	m.ProbeTimeout = t.Direct
	m.SuspicionMult = t.SuspicionProbes
	// Suspicion that nobody confirms would last this many times as long. With few
	// nodes there may be nobody left to confirm it, and the bound of Timing must hold.
	m.SuspicionMaxTimeoutMult = 1
	// A node that misses answers distrusts itself and probes more slowly, up to this
	// factor. Nacks of failed detours come too late to be counted in a Probe, so it
	// would distrust itself after each crash of another: limit it.
	m.AwarenessMaxMultiplier = 2
	m.GossipInterval = 100 * time.Millisecond
	// News goes to random nodes, this many times log10 of their number from each. With
	// the default of 4 a node of 16 misses one in 200 deaths, and finds out by itself
	// seconds later.
	m.RetransmitMult = 8
	// Complete exchanges repair what is missed all the same, such as when many nodes
	// start at once. They are small, and become rarer above 32 nodes.
	m.PushPullInterval = 5 * time.Second
	// A crashed node that starts again at another address gets its name back.
	m.DeadNodeReclaimTime = reclaimAfter
	m.EnableCompression = false // messages are small
	return m
}
