package gossip

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/memberlist"

	"selvedge/topology"
)

// simNet joins nodes by packets and streams. It is used within a synctest bubble,
// where time costs nothing.
type simNet struct {
	// Fixed.
	oneWay func(from, to *simNode) time.Duration
	loss   float64 // how many of the packets go astray, 0..1

	mu    sync.Mutex
	nodes map[string]*simNode
	side  func(*simNode) bool // nodes on different sides can't reach each other
}

// everywhere is the same way between all nodes.
func everywhere(d time.Duration) func(from, to *simNode) time.Duration {
	return func(_, _ *simNode) time.Duration { return d }
}

// find returns the node at addr that n can reach, or nil.
func (s *simNet) find(n *simNode, addr string) *simNode {
	s.mu.Lock()
	defer s.mu.Unlock()
	to := s.nodes[addr]
	if to != nil && s.side != nil && s.side(n) != s.side(to) {
		return nil
	}
	return to
}

func (s *simNet) part(side func(*simNode) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.side = side
}

type simNode struct {
	net     *simNet
	index   int
	addr    net.UDPAddr
	packets chan *memberlist.Packet
	streams chan net.Conn

	// Guarded by net.mu.
	gone    bool
	stalled time.Time // until then it neither sends nor receives
}

var errRefused = errors.New("connection refused")

func (s *simNet) node(i int) *simNode {
	n := &simNode{
		net:     s,
		index:   i,
		addr:    net.UDPAddr{IP: net.IPv4(10, 0, byte(i>>8), byte(i)), Port: 7402},
		packets: make(chan *memberlist.Packet, 1024),
		streams: make(chan net.Conn, 16),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nodes[n.addr.String()] = n
	return n
}

func (n *simNode) stall(d time.Duration) {
	n.net.mu.Lock()
	defer n.net.mu.Unlock()
	n.stalled = time.Now().Add(d)
}

// wait is how long a stalled node keeps what it sends or is sent.
func (n *simNode) wait() (d time.Duration, gone bool) {
	n.net.mu.Lock()
	defer n.net.mu.Unlock()
	return max(0, time.Until(n.stalled)), n.gone
}

func (n *simNode) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return n.addr.IP.To4(), n.addr.Port, nil
}

func (n *simNode) WriteTo(b []byte, addr string) (time.Time, error) {
	b = slices.Clone(b)
	to := n.net.find(n, addr)
	stall, gone := n.wait()
	if to != nil && !gone && rand.Float64() >= n.net.loss {
		time.AfterFunc(stall+n.net.oneWay(n, to), func() { to.deliver(b, &n.addr) })
	}
	return time.Now(), nil
}

func (n *simNode) deliver(b []byte, from net.Addr) {
	stall, gone := n.wait()
	switch {
	case gone:
	case stall > 0:
		time.AfterFunc(stall, func() { n.deliver(b, from) })
	default:
		select {
		case n.packets <- &memberlist.Packet{Buf: b, From: from, Timestamp: time.Now()}:
		default:
		}
	}
}

func (n *simNode) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	to := n.net.find(n, addr)
	if to == nil {
		return nil, errRefused
	}
	stall, _ := to.wait()
	way := 2*n.net.oneWay(n, to) + stall
	for rand.Float64() < n.net.loss {
		way += time.Second // until the first packet is sent again
	}
	<-time.After(min(way, timeout))
	if _, gone := to.wait(); gone || way > timeout {
		return nil, errRefused
	}
	here, there := net.Pipe()
	to.streams <- there
	return here, nil
}

func (n *simNode) PacketCh() <-chan *memberlist.Packet { return n.packets }
func (n *simNode) StreamCh() <-chan net.Conn           { return n.streams }

func (n *simNode) Shutdown() error {
	n.net.mu.Lock()
	defer n.net.mu.Unlock()
	n.gone = true
	return nil
}

type simCluster struct {
	net   *simNet
	nodes []*Gossip
	links []*simNode
	files []*keyFile

	others []*Gossip // that joined beside them

	// Fixed.
	seed    func(i int) int // of node i; itself = none; nil = 0 for all
	timing  Timing
	cluster string
	logger  *slog.Logger // of node 0
}

// simulated starts size nodes, 350 ms from each other, that all know each other.
func simulated(t *testing.T, size int) *simCluster {
	t.Helper()
	c := &simCluster{net: &simNet{oneWay: everywhere(175 * time.Millisecond)}}
	c.start(t, size)
	return c
}

// start starts size nodes, which join by node 0 if there is no seed, and waits
// until they all know each other.
func (c *simCluster) start(t *testing.T, size int) {
	t.Helper()
	c.net.nodes = map[string]*simNode{}
	for i := range size {
		c.links, c.files = append(c.links, c.net.node(i)), append(c.files, fileOf("o"))
		c.nodes = append(c.nodes, c.begin(t, i))
	}
	for _, g := range c.nodes {
		await(t, g, "all see all", 30*time.Second, func(s topology.Snapshot) bool { return s.Len() == size })
	}
}

// begin starts node i.
func (c *simCluster) begin(t *testing.T, i int) *Gossip {
	t.Helper()
	seed := 0
	if c.seed != nil {
		seed = c.seed(i)
	}
	cfg := Config{Self: node(simID(i)), Keys: c.files[i], Cluster: c.cluster, Transport: c.links[i], Timing: c.timing}
	if i == 0 {
		cfg.Logger = c.logger
	}
	if seed != i {
		cfg.Seeds = []string{c.links[seed].addr.String()}
	}
	g, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func simID(i int) topology.NodeID { return topology.NodeID("n" + strconv.Itoa(i)) }

// join starts one more node, of another kind than the others, by node 0.
func (c *simCluster) join(t *testing.T, id topology.NodeID, keys KeySource, change ...func(*Config)) *Gossip {
	t.Helper()
	link := c.net.node(len(c.net.nodes))
	cfg := Config{Self: node(id), Keys: keys, Cluster: c.cluster, Transport: link, Seeds: []string{c.links[0].addr.String()}}
	for _, f := range change {
		f(&cfg)
	}
	g, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.others = append(c.others, g)
	return g
}

// until waits for something that no snapshot tells.
func until(t *testing.T, what string, within time.Duration, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); !is(); <-time.After(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, within)
		}
	}
}

// speak lets node i change its description, and waits until all others know.
func (c *simCluster) speak(t *testing.T, i int) {
	t.Helper()
	zone := time.Now().String()
	if err := c.nodes[i].Update(func(n *topology.Node) { n.Zone = zone }); err != nil {
		t.Fatal(err)
	}
	for _, g := range c.nodes {
		await(t, g, "the change is known", 20*time.Second, func(s topology.Snapshot) bool {
			n, ok := s.Node(simID(i))
			return ok && n.Zone == zone
		})
	}
}

// deaths are how often any node saw another one come or go.
func (c *simCluster) deaths() (n uint64) {
	for _, g := range c.nodes {
		n += g.members.generation()
	}
	return n
}

// again starts node i anew, after a crash.
func (c *simCluster) again(t *testing.T, i int) {
	t.Helper()
	c.links[i] = c.net.node(i)
	c.nodes[i] = c.begin(t, i)
}

func (c *simCluster) close(t *testing.T) {
	t.Helper()
	for _, g := range append(c.others, c.nodes...) {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	}
	<-time.After(time.Minute) // memberlist's last probes and timers
}

// A crash is known to all within 5 s, wherever in the round of probes it happens,
// with all nodes on different continents. Who probes whom is chance: of 16 nodes
// one crash in some 200 takes longer until somebody probes, so two of ten may.
func TestCrashIsKnown(t *testing.T) {
	for _, size := range []int{2, 4, 16} {
		t.Run(strconv.Itoa(size), func(t *testing.T) {
			var took []time.Duration
			for range 10 {
				synctest.Test(t, func(t *testing.T) { took = append(took, crash(t, size)) })
			}
			slices.Sort(took)
			t.Logf("%d nodes: known to all after %v in half of the cases, %v at worst",
				size, took[5].Round(time.Millisecond), took[9].Round(time.Millisecond))
			if took[7] >= 5*time.Second || size <= 4 && took[9] >= 5*time.Second {
				t.Errorf("%d nodes: known to all after %v", size, took)
			}
		})
	}
}

// crash ends one of size nodes, and returns when all others knew.
func crash(t *testing.T, size int) time.Duration {
	c := simulated(t, size)
	<-time.After(rand.N(5 * time.Second))
	crashed := time.Now()
	if err := c.nodes[size-1].Close(); err != nil {
		t.Error(err)
	}
	for _, g := range c.nodes[:size-1] {
		await(t, g, "the crash is known", 15*time.Second, func(s topology.Snapshot) bool { return s.Len() == size-1 })
	}
	took := time.Since(crashed)
	c.close(t)
	return took
}

// Nodes that stall for a second, one after the other, are not taken for dead. Who
// hears of a suspicion in time is chance: one of forty may, and comes back at once.
func TestStallIsNoCrash(t *testing.T) {
	for _, size := range []int{4, 16} {
		t.Run(strconv.Itoa(size), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := simulated(t, size)
				var watch []func()
				changes := make([]<-chan struct{}, size)
				for i, g := range c.nodes {
					ch, stop := g.Watch()
					changes[i] = ch
					watch = append(watch, stop)
				}
				dead := 0
				for range 40 {
					c.links[rand.N(size)].stall(time.Second)
					<-time.After(3*time.Second + rand.N(2*time.Second))
					if seen(changes) {
						dead++
					}
				}
				for i, g := range c.nodes {
					watch[i]()
					if len(ids(g)) != size {
						t.Errorf("%v knows %v after all stalls", g.Addr(), ids(g))
					}
				}
				if dead > 1 {
					t.Errorf("%d of 40 nodes that stalled were taken for dead", dead)
				}
				c.close(t)
			})
		})
	}
}

// seen reports whether any node saw a change, and forgets it.
func seen(changes []<-chan struct{}) (any bool) {
	for _, ch := range changes {
		select {
		case <-ch:
			any = true
		default:
		}
	}
	return any
}

// A cluster that fell apart for longer than deaths are gossiped about grows
// together again, by its seeds.
func TestPartitionHeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := simulated(t, 4)
		// The seed n0 with n1 on one side, n2 with n3 on the other.
		c.net.part(func(n *simNode) bool { return n == c.links[0] || n == c.links[1] })
		for _, g := range c.nodes {
			await(t, g, "the halves part", 20*time.Second, func(s topology.Snapshot) bool { return s.Len() == 2 })
		}
		<-time.After(5 * time.Minute)
		c.net.part(nil)
		for _, g := range c.nodes {
			await(t, g, "the halves meet", 20*time.Second, func(s topology.Snapshot) bool { return s.Len() == 4 })
		}
		c.close(t)
	})
}
