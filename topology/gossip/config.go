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
	// Key encrypts all traffic: 16, 24 or 32 bytes, the same on every node.
	Key []byte
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

// Timing says how fast failures are found. The zero value is right for up to some
// hundred nodes in regions up to 400 ms apart; every node should have the same.
//
// A crash is known everywhere after
//
//	until somebody probes it   ~Probe
//	+ the probe fails          Probe
//	+ it is under suspicion    SuspicionProbes * Probe * max(1, log10 nodes)
//
// which is 2.5 to 3.5 s for 2 to 16 nodes. When somebody probes it is chance: of 16
// nodes one crash in some 200 takes more than 5 s. memberlist's own defaults take 6
// to 10 s or, between regions, a minute. A node that merely stalls has all of the
// suspicion to deny it: a stall of 1 s is hardly ever taken for a death, and if so
// for a moment (TestStallIsNoCrash).
type Timing struct {
	// Probe is how often this node probes another one, and how long it waits for
	// the answer, by a detour over other nodes too. It must be more than the longest
	// round trip (350 ms, between regions). Zero is 500 ms.
	Probe time.Duration
	// Direct is how much of Probe it waits before it tries the detour. Zero is four
	// fifths of it: 400 ms.
	Direct time.Duration
	// SuspicionProbes is how many times Probe a node that doesn't answer is under
	// suspicion before it is taken for dead. Zero is 3.
	SuspicionProbes int
	// Stream is how long connecting to a node, and each exchange with it, may take.
	// Zero is 5 s.
	Stream time.Duration
	// Retry is the time between the first attempts to join; it doubles up to
	// RetryMax. Zeros are 1 s and 10 s.
	Retry, RetryMax time.Duration
}

func (t Timing) withDefaults() Timing {
	t.Probe = orDefault(t.Probe, 500*time.Millisecond)
	t.Direct = orDefault(t.Direct, t.Probe*4/5)
	t.SuspicionProbes = orDefault(t.SuspicionProbes, 3)
	t.Stream = orDefault(t.Stream, 5*time.Second)
	t.Retry = orDefault(t.Retry, time.Second)
	t.RetryMax = max(t.Retry, orDefault(t.RetryMax, 10*time.Second))
	return t
}

func orDefault[T time.Duration | int](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}

func (c *Config) check() error {
	if err := topology.CheckNodeID(c.Self.ID); err != nil {
		return fmt.Errorf("%w: %w", ErrBadConfig, err)
	}
	switch len(c.Key) {
	case 16, 24, 32:
	default:
		return fmt.Errorf("%w: the key has %d bytes: use 16, 24 or 32", ErrBadConfig, len(c.Key))
	}
	if t := c.Timing.withDefaults(); t.Probe < 0 || t.Direct < 0 || t.Direct >= t.Probe || t.SuspicionProbes < 1 {
		return fmt.Errorf("%w: timing of %v per probe, %v of it direct, %d probes of suspicion: each must be above 0, and direct below the probe",
			ErrBadConfig, t.Probe, t.Direct, t.SuspicionProbes)
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
	m.SecretKey = c.Key
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
