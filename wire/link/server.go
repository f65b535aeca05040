package link

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
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
	Sent       func(p wire.LogID, kind tail.Kind, bytes int)
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
		e.Sent = func(wire.LogID, tail.Kind, int) {}
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
	Logger *slog.Logger
	Events ServerEvents
}

// Server is the side that feeds.
type Server struct {
	cfg ServerConfig
	tr  *quic.Transport
	ln  *quic.Listener

	mu    sync.Mutex
	peers map[*peer]struct{} // guarded by mu
}

// Listen starts to take links on pc, which it does not close. Run serves them.
func Listen(pc net.PacketConn, cfg ServerConfig) (*Server, error) {
	cfg.Events = cfg.Events.withDefaults()
	tr := &quic.Transport{Conn: pc}
	ln, err := tr.Listen(withALPN(cfg.TLS), quicConfig())
	if err != nil {
		return nil, fmt.Errorf("link: listen on %s: %w", pc.LocalAddr(), err)
	}
	return &Server{cfg: cfg, tr: tr, ln: ln, peers: map[*peer]struct{}{}}, nil
}

// Run serves links until ctx ends, and closes them then.
func (s *Server) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer s.tr.Close()
	defer s.ln.Close()
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
	p := &peer{srv: s, src: s.cfg.Source, conn: conn, feeds: map[wire.LogID]*feed{}}
	err := p.handshake(ctx)
	if err != nil {
		_ = conn.CloseWithError(codeProtocol, clipReason(err))
		s.cfg.Events.Refused(conn.RemoteAddr(), err)
		return
	}
	s.mu.Lock()
	s.peers[p] = struct{}{}
	s.mu.Unlock()
	s.cfg.Events.Up(p.node, p.region)
	err = p.run(ctx)
	s.mu.Lock()
	delete(s.peers, p)
	s.mu.Unlock()
	s.cfg.Events.Down(p.node, p.region, err)
}

// Reset closes every link: the downstreams come back and learn what changed,
// such as the epoch.
func (s *Server) Reset(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p := range s.peers {
		_ = p.conn.CloseWithError(codeDone, reason)
	}
}

// Signal sends a signal to every downstream that holds interest in its channel,
// best effort, but for the one that it came from.
func (s *Server) Signal(from string, sig *wire.Signal, p wire.LogID) error {
	b, err := wire.Msgpack.Append(nil, sig)
	if err != nil {
		return err
	}
	if len(b) > wire.MaxSignal {
		return fmt.Errorf("%w: a signal of %d bytes, at most %d are allowed", wire.ErrTooLarge, len(b), wire.MaxSignal)
	}
	key := wire.FramesKey(sig.Ch)
	s.mu.Lock()
	defer s.mu.Unlock()
	for peer := range s.peers {
		if peer.node != from && peer.wants(p, key) {
			_ = peer.conn.SendDatagram(b) // best effort: a full queue drops it
		}
	}
	return nil
}

// PeerInfo describes one link, for people and metrics.
type PeerInfo struct {
	Node, Region string
	RTT          time.Duration
	Logs         int // fed over it
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

// clipReason fits an error into a connection's close reason.
func clipReason(err error) string {
	s := err.Error()
	return s[:min(len(s), 200)]
}

// ended is nil for the errors by which a link ends in good order.
func ended(err error) error {
	var app *quic.ApplicationError
	if errors.As(err, &app) && app.ErrorCode == codeDone || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
