package netsim

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"
	"testing/synctest"
	"time"
)

// Config says what a Network is like. It is not modified.
type Config struct {
	// Seed decides about every packet, as far as chance does.
	Seed uint64
	// Path is what the way from one host to another is like. It is asked once
	// per direction, and must give the same answer in each run. nil = at once,
	// and all. A host reaches itself at once, without asking.
	Path func(from, to Host) Path
	// Access is the link that a host shares with others of its place; nil = none
	// does. It is asked once per host. A host is behind no more than one.
	Access func(Host) *Access
	// Buffer is what a TCP socket holds in each direction, in bytes; 0 = 256 KiB.
	Buffer int
	// Watch is told of each packet when its fate is known, in an order that is
	// the same in each run if what is sent is; nil = nobody. It must not block,
	// nor call the network.
	Watch func(Packet)
}

// Packet is one packet's fate, for Config.Watch.
type Packet struct {
	At       time.Duration // when it was sent, since the network was made
	From, To netip.AddrPort
	Proto    string // "udp" or "tcp"
	Size     int    // bytes with the headers of IP and above
	Arrives  time.Duration
	Times    int // how often it arrives; 0 = it is lost
}

// Network is a simulated network. It is made inside a bubble and serves that
// bubble only. Its methods are safe for concurrent use.
//
// While it is open nobody else may call synctest.Wait: that is the wire's.
type Network struct {
	cfg   Config
	start time.Time
	kick  chan struct{} // capacity 1, never closed: something was sent
	done  chan struct{} // closed by Close
	wire  sync.WaitGroup

	// mu guards all that follows, and all hosts, links and sockets. It is never
	// held while anything waits.
	mu        sync.Mutex
	closed    bool
	hosts     map[Host]*host
	accesses  map[*Access]*access
	links     map[uint64]*link
	udp       map[netip.AddrPort]*PacketConn
	listeners map[netip.AddrPort]*Listener
	dialed    map[netip.AddrPort]bool // ports that connections have at the side that dialed
	sent      []packet                // in this instant
	quiet     []func()                // to be called when all wait
	events    events
	faults    []*Fault // that hold at present
	calm      bool     // no fault begins any more
	stats     Stats
}

// Stats counts packets.
type Stats struct{ Sent, Lost, Doubled uint64 }

// packet is one on its way.
type packet struct {
	link     *link
	flow     *flow // nil = the link knows
	from, to netip.AddrPort
	proto    string
	size     int
	arrive   func() // called with mu held, as often as it arrives
}

// New is an empty network.
func New(cfg Config) *Network {
	n := &Network{
		cfg: cfg, start: time.Now(), kick: make(chan struct{}, 1), done: make(chan struct{}),
		hosts: map[Host]*host{}, accesses: map[*Access]*access{}, links: map[uint64]*link{},
		udp: map[netip.AddrPort]*PacketConn{}, listeners: map[netip.AddrPort]*Listener{}, dialed: map[netip.AddrPort]bool{},
	}
	if n.cfg.Buffer <= 0 {
		n.cfg.Buffer = buffer
	}
	n.wire.Go(n.run)
	return n
}

// Close ends the network: every socket that is still open fails from here on.
func (n *Network) Close() {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return
	}
	n.closed = true
	for _, h := range n.hosts {
		n.killLocked(h)
	}
	n.mu.Unlock()
	close(n.done)
	n.wire.Wait()
}

// Stats are the counts so far.
func (n *Network) Stats() Stats {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.stats
}

// Since is how old the network is.
func (n *Network) Since() time.Duration { return time.Since(n.start) }

func (n *Network) hostLocked(id Host) *host {
	h := n.hosts[id]
	if h == nil {
		h = &host{id: id, sockets: map[socket]struct{}{}, port: firstEphemeral, access: n.accessLocked(id)}
		n.hosts[id] = h
	}
	return h
}

func (n *Network) linkLocked(from, to Host) *link {
	id := uint64(from)<<32 | uint64(to)
	l := n.links[id]
	if l == nil {
		l = &link{id: id, from: n.hostLocked(from), to: n.hostLocked(to)}
		if n.cfg.Path != nil && from != to {
			l.path = n.cfg.Path(from, to)
		}
		n.links[id] = l
	}
	return l
}

// sendLocked takes a packet; the wire decides what becomes of it.
func (n *Network) sendLocked(p packet) {
	n.sent = append(n.sent, p)
	n.kickLocked()
}

func (n *Network) kickLocked() { n.wake() }

// wake has the wire look. It needs no lock.
func (n *Network) wake() {
	select {
	case n.kick <- struct{}{}:
	default:
	}
}

// run is the wire.
func (n *Network) run() {
	next := alarm{timer: time.NewTimer(0), runs: true, ring: n.wake}
	defer next.timer.Stop()
	for {
		select {
		case <-n.done:
			return
		case <-n.kick:
		case <-next.timer.C:
			next.runs = false
		}
		synctest.Wait() // until all have said what they have to say at this instant
		n.mu.Lock()
		n.quietLocked()
		n.dueLocked() // faults of this instant are about what is sent in it
		n.passLocked()
		if len(n.events.heap) > 0 {
			next.set(n.events.heap[0].at)
		}
		n.mu.Unlock()
	}
}

// passLocked sends what waits on its way.
func (n *Network) passLocked() {
	out := n.sent
	n.sent = nil
	slices.SortStableFunc(out, func(a, b packet) int {
		return cmp.Or(cmp.Compare(a.link.id, b.link.id), cmp.Compare(a.proto, b.proto), a.from.Compare(b.from), a.to.Compare(b.to))
	})
	for _, p := range out {
		n.passOneLocked(p)
	}
}

func (n *Network) passOneLocked(p packet) {
	l := p.link
	if l.from.dead {
		return
	}
	if l.from.stalls > 0 {
		l.from.holdLocked(p.size, func() { n.passOneLocked(p) })
		return
	}
	path, cut := n.pathLocked(l)
	now := time.Now()
	leaves, room := now.UnixNano(), false
	if !cut {
		leaves, room = l.leaveLocked(leaves, p.size)
	}
	if p.flow == nil {
		p.flow = l.flowLocked(&p)
	}
	arrivals, times := p.flow.fate(n.cfg.Seed, path, leaves)
	if !room {
		times = 0
	}
	n.stats.Sent++
	switch times {
	case 0:
		n.stats.Lost++
	case 2:
		n.stats.Doubled++
	}
	if n.cfg.Watch != nil {
		told := Packet{At: now.Sub(n.start), From: p.from, To: p.to, Proto: p.proto, Size: p.size, Times: times}
		if times > 0 {
			told.Arrives = time.Duration(arrivals[0] - n.start.UnixNano())
		}
		n.cfg.Watch(told)
	}
	for _, at := range arrivals[:times] {
		l.to.flying += p.size
		n.events.add(at, l.id, func() { n.enterLocked(p, at) })
	}
}

// enterLocked is the moment when a packet reaches the access of its host's place; at
// is now.
func (n *Network) enterLocked(p packet, at int64) {
	through, ok := p.link.enterLocked(at, p.size)
	switch {
	case !ok:
		p.link.to.flying -= p.size
		n.stats.Lost++
	case through > at:
		n.events.add(through, p.link.id, func() { n.arriveLocked(p) })
	default:
		n.arriveLocked(p)
	}
}

// arriveLocked is the moment when a packet reaches its host.
func (n *Network) arriveLocked(p packet) {
	p.link.to.flying -= p.size
	switch to := p.link.to; {
	case to.dead:
	case to.stalls > 0:
		to.holdLocked(p.size, p.arrive)
	default:
		p.arrive()
	}
}

// dueLocked lets happen what is due.
func (n *Network) dueLocked() {
	now := time.Now().UnixNano()
	for {
		e, ok := n.events.next(now)
		if !ok {
			return
		}
		e.happen()
	}
}
