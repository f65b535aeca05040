package gossip

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	// maxArriving is how many streams may be waiting for their first message; one more
	// is closed. memberlist lets no more exchange state at a time.
	maxArriving = 128
	// maxUnknown bounds what they may have sent together, but for the first
	// smallMessage bytes of each: it is held before anybody knows who they are, and
	// each could send maxState. The stream that exceeds it is closed.
	maxUnknown   = 32 << 20
	smallMessage = 64 << 10
)

// gate looks at what comes in before memberlist does: what isn't sealed with a key
// of ours, or of another cluster, goes no further, and is counted and told of.
// memberlist would refuse it as well, but only says so in its log.
type gate struct {
	// Fixed.
	inner    memberlist.Transport
	ring     *ring
	cluster  string
	refusals *refusals
	patience time.Duration           // for a stream's first message
	packets  chan *memberlist.Packet // never closed
	streams  chan net.Conn           // never closed
	done     chan struct{}           // closed by close

	running sync.WaitGroup
	unknown atomic.Int64 // bytes, see maxUnknown

	mu       sync.Mutex
	closed   bool
	arriving map[net.Conn]struct{}
}

func newGate(inner memberlist.Transport, ring *ring, cluster string, refusals *refusals, patience time.Duration) *gate {
	g := &gate{
		inner: inner, ring: ring, cluster: cluster, refusals: refusals, patience: patience,
		packets: make(chan *memberlist.Packet), streams: make(chan net.Conn), done: make(chan struct{}),
		arriving: map[net.Conn]struct{}{},
	}
	g.running.Go(g.takePackets)
	g.running.Go(g.takeStreams)
	return g
}

// close ends it, and the streams that have not passed.
func (g *gate) close() {
	g.mu.Lock()
	if !g.closed {
		g.closed = true
		close(g.done)
	}
	for conn := range g.arriving {
		_ = conn.Close() // its reader sees it
	}
	g.mu.Unlock()
	g.running.Wait()
}

func (g *gate) takePackets() {
	scratch := make([]byte, 0, 2<<10)
	for {
		select {
		case <-g.done:
			return
		case p := <-g.inner.PacketCh():
			var err error
			if scratch, err = g.ring.now.Load().checkPacket(p.Buf, g.cluster, scratch); err != nil {
				g.refusals.traffic(err, host(p.From))
				continue
			}
			select {
			case g.packets <- p:
			case <-g.done:
				return
			}
		}
	}
}

func (g *gate) takeStreams() {
	for {
		select {
		case <-g.done:
			return
		case conn := <-g.inner.StreamCh():
			if !g.admit(conn) {
				_ = conn.Close() // there are too many, or it is over
				continue
			}
			g.running.Go(func() { g.receive(conn) })
		}
	}
}

func (g *gate) admit(conn net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || len(g.arriving) >= maxArriving {
		return false
	}
	g.arriving[conn] = struct{}{}
	return true
}

// receive waits for a stream's first message, and hands the stream on or ends it.
func (g *gate) receive(conn net.Conn) {
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.arriving, conn)
	}()
	keys := g.ring.now.Load()
	err := conn.SetDeadline(time.Now().Add(g.patience))
	var head []byte
	if err == nil {
		from := &unknown{Reader: conn, all: &g.unknown}
		defer from.forget()
		head, err = keys.readHead(from, g.cluster)
	}
	if err == nil {
		select {
		case g.streams <- &opened{Conn: conn, r: io.MultiReader(bytes.NewReader(head), conn)}:
		case <-g.done:
			_ = conn.Close() // by us
		}
		return
	}
	select {
	case <-g.done: // it was closed by us
	default:
		g.refuse(conn, keys, len(head), err)
	}
	_ = conn.Close() // it has ended
}

// refuse counts a stream that is refused, and tells its sender, if it can understand.
func (g *gate) refuse(conn net.Conn, keys *keys, got int, err error) {
	if got > 0 { // a connection that says nothing is a look whether we are there
		g.refusals.traffic(err, host(conn.RemoteAddr()))
	}
	if errors.Is(err, errKey) || errors.Is(err, errCluster) {
		var nonce [nonceSize]byte
		_, _ = rand.Read(nonce[:])
		_, _ = conn.Write(keys.refusalTo(err, g.cluster, nonce)) // a courtesy
	}
}

// unknown is who sends a first message. What it sends counts until forget.
type unknown struct {
	io.Reader
	all  *atomic.Int64 // of the gate
	sent int64
}

// Read is io.Reader's.
func (u *unknown) Read(b []byte) (int, error) {
	n, err := u.Reader.Read(b)
	before := u.counts()
	u.sent += int64(n)
	if u.all.Add(u.counts()-before) > maxUnknown {
		return n, errCrowd
	}
	return n, err
}

func (u *unknown) forget() {
	u.all.Add(-u.counts())
	u.sent = 0
}

func (u *unknown) counts() int64 { return max(u.sent-smallMessage, 0) }

// opened is a stream of which the first message was read.
type opened struct {
	net.Conn
	r io.Reader // that message, and what follows
}

// Read is net.Conn's.
func (o *opened) Read(b []byte) (int, error) { return o.r.Read(b) }

// host is an address without its port.
func host(a net.Addr) string {
	if a == nil {
		return "unknown"
	}
	name, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	return name
}
