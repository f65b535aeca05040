package link

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	"selvedge/wire"
	"selvedge/wire/tail"
)

// ServerEvents are what a server reports. Unset ones are filled in with no-ops.
// They are called from many goroutines and must not block.
type ServerEvents struct {
	Up         func(node, region string)
	Down       func(node, region string, err error)
	Refused    func(addr net.Addr, err error)
	Sent       func(region string, kind tail.Kind, bytes int) // a record, to a downstream there
	ReadFailed func(p wire.LogID, err error)
}

func (e ServerEvents) withDefaults() ServerEvents {
	if e.Up == nil {
		e.Up = func(string, string) {}
	}
	if e.Down == nil {
		e.Down = func(string, string, error) {}
	}
	if e.Refused == nil {
		e.Refused = func(net.Addr, error) {}
	}
	if e.Sent == nil {
		e.Sent = func(string, tail.Kind, int) {}
	}
	if e.ReadFailed == nil {
		e.ReadFailed = func(wire.LogID, error) {}
	}
	return e
}

// ServerConfig sets up a Server. It is not modified.
type ServerConfig struct {
	TLS    *tls.Config // of a server that demands and checks client certificates
	Source Source
	// Ordered takes what another core tells by Tell; from is its name, o.Node may be
	// anybody's. It returns why it does not take the order, nil = it does, and must not
	// block. Nil = no orders are taken.
	Ordered func(from string, o Order) *wire.Error
	Logger  *slog.Logger
	Events  ServerEvents
}

// Server is the side that feeds.
type Server struct {
	cfg ServerConfig
	tr  *quic.Transport
	own bool // Run closes tr; else its owner does
	ln  *quic.Listener

	mu     sync.Mutex
	peers  map[*peer]struct{} // guarded by mu
	resets int                // guarded by mu
}

// Listen starts to take links on pc, which it does not close. Run serves them.
func Listen(pc net.PacketConn, cfg ServerConfig) (*Server, error) {
	tr := NewTransport(pc)
	s, err := ListenOn(tr, cfg)
	if err == nil {
		s.own = true
	}
	return s, err
}

// ListenOn is Listen over a transport that links are dialled over as well, and that
// its owner closes.
func ListenOn(tr *quic.Transport, cfg ServerConfig) (*Server, error) {
	cfg.Events = cfg.Events.withDefaults()
	ln, err := tr.Listen(tellingRefusals(withALPN(cfg.TLS), cfg.Events.Refused), quicConfig(idleTimeout, 0))
	if err != nil {
		return nil, fmt.Errorf("link: listen on %s: %w", tr.Conn.LocalAddr(), err)
	}
	return &Server{cfg: cfg, tr: tr, ln: ln, peers: map[*peer]struct{}{}}, nil
}

// tellingRefusals makes a server's c tell of peers whose certificate it does
// not accept: they never become connections that Accept returns.
func tellingRefusals(c *tls.Config, tell func(net.Addr, error)) *tls.Config {
	verify := c.VerifyConnection
	if verify == nil {
		return c
	}
	c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		own := c.Clone()
		own.GetConfigForClient = nil
		own.VerifyConnection = func(state tls.ConnectionState) error {
			err := verify(state)
			if err != nil {
				tell(hello.Conn.RemoteAddr(), err)
			}
			return err
		}
		return own, nil
	}
	return c
}

// Run serves links until ctx ends, and closes them then: their downstreams know
// that it is leaving.
func (s *Server) Run(ctx context.Context) error {
	// In this order: the links say goodbye before their transport goes.
	if s.own {
		defer s.tr.Close()
	}
	defer s.ln.Close()
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for {
		conn, err := s.ln.Accept(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("link: accept: %w", err)
		}
		wg.Go(func() { s.serve(ctx, conn) })
	}
}

func (s *Server) serve(ctx context.Context, conn *quic.Conn) {
	control, m, err := first(ctx, conn)
	if err == nil && m.T == tOrder {
		if err = s.take(ctx, conn, control, m); err == nil {
			return
		}
	}
	if err != nil {
		s.refuse(conn, err)
		return
	}
	p := &peer{
		srv: s, src: s.cfg.Source, conn: conn,
		signals: make(chan []byte, maxSignals), company: newCompany(),
		feeds: map[wire.LogID]*feed{}, opens: map[wire.LogID]uint64{}, opened: make(chan struct{}),
	}
	s.mu.Lock()
	resets := s.resets
	s.mu.Unlock()
	if err := p.handshake(control, m); err != nil {
		s.refuse(conn, err)
		return
	}
	s.mu.Lock()
	stale := s.resets != resets // what it was welcomed with has changed
	if !stale {
		s.peers[p] = struct{}{}
	}
	s.mu.Unlock()
	if stale {
		_ = conn.CloseWithError(codeDone, "reset")
		return
	}
	s.cfg.Events.Up(p.node, p.region)
	err = p.run(ctx)
	s.mu.Lock()
	delete(s.peers, p)
	s.mu.Unlock()
	s.cfg.Events.Down(p.node, p.region, err)
}

// refuse closes a connection that becomes no link.
func (s *Server) refuse(conn *quic.Conn, err error) {
	_ = conn.CloseWithError(codeProtocol, clipReason(err))
	s.cfg.Events.Refused(conn.RemoteAddr(), err)
}

// Reset closes every link: the downstreams come back and learn what changed,
// such as the epoch.
func (s *Server) Reset(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resets++
	for p := range s.peers {
		_ = p.conn.CloseWithError(codeDone, reason)
	}
}

// Signal sends a signal to every downstream that holds interest in its channel,
// best effort, but for the one that it came from. A downstream that follows the
// log elsewhere has its interests, and gets its signals, there. It never blocks, and fails if sig is larger than wire.MaxSignal bytes.
func (s *Server) Signal(from string, sig *wire.Signal, p wire.LogID) error {
	b, err := appendSignal(sig)
	if err != nil {
		return err
	}
	key := wire.FramesKey(sig.Ch)
	s.mu.Lock()
	defer s.mu.Unlock()
	for peer := range s.peers {
		if peer.node != from && peer.wants(p, key) {
			select {
			case peer.signals <- b:
			default: // the link is busy
			}
		}
	}
	return nil
}

// Followers is how many downstreams follow a log now.
func (s *Server) Followers(p wire.LogID) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for peer := range s.peers {
		if peer.feed(p) != nil {
			n++
		}
	}
	return n
}

// PeerInfo describes one link, for people and metrics.
type PeerInfo struct {
	Node, Region string
	RTT          time.Duration
	Logs         int          // fed over it
	State        bool         // the state log is one of them
	Open         []wire.LogID // those logs, ascending, the state log last
	Interests    int
	Status       Status // as the downstream last told, zero before
}

// Peers describes the links that are up, by node.
func (s *Server) Peers() []PeerInfo {
	s.mu.Lock()
	peers := make([]*peer, 0, len(s.peers))
	for p := range s.peers {
		peers = append(peers, p)
	}
	s.mu.Unlock()
	out := make([]PeerInfo, 0, len(peers))
	for _, p := range peers {
		out = append(out, p.info())
	}
	slices.SortFunc(out, func(a, b PeerInfo) int { return cmp.Compare(a.Node, b.Node) })
	return out
}
