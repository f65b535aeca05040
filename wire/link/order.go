package link

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/quic-go/quic-go"

	"selvedge/internal/identity"
	"selvedge/wire"
)

// Drain is the order to a node to stop in good order, as SIGTERM tells it to.
const Drain = "drain"

// Order is what an operator has a core tell a node. It travels with the pongs of the
// link that an edge has to a core, and to a core by Tell. A node that is told
// twice has been told once.
type Order struct {
	Do   string `json:"do"`            // what: Drain
	Node string `json:"node"`          // who shall
	By   string `json:"by,omitempty"`  // the name of the API key that it was given with
	Via  string `json:"via,omitempty"` // the core whose API was asked
}

// maxBy is how long By and Via are, in bytes: an order must fit a pong, and a first
// message. What is longer is cut off.
const maxBy = 128

// answerTime is how long the one who told an order has to take its answer.
const answerTime = 2 * time.Second

// Order has the edges of that name that are linked here told o with each pong from
// the next one on, until their link ends. It reports whether there is one.
func (s *Server) Order(o Order) bool {
	o = o.clipped()
	s.mu.Lock()
	defer s.mu.Unlock()
	found := false
	for p := range s.peers {
		if p.node == o.Node {
			p.order.Store(&o)
			found = true
		}
	}
	return found
}

// Teller is who tells a core an order: another core.
type Teller struct {
	TLS  *tls.Config // with our certificate, which must be a core's, and a check of the peer's
	Node string      // who we are, as our certificate says
	Peer string      // the core that must answer
}

// Tell gives a core an order for itself, or for an edge that is linked to it, over the
// socket that s takes links on. The refusal is what that core answers if it does not take
// it, nil = it does; NotFound = it is not that node, and has no link to it. An error
// means that there is no answer.
func (s *Server) Tell(ctx context.Context, addr net.Addr, who Teller, o Order) (refusal *wire.Error, err error) {
	conn, err := s.tr.Dial(ctx, addr, withALPN(who.TLS), quicConfig(idleTimeout, 0))
	if err != nil {
		return nil, fmt.Errorf("tell %s: %w", who.Peer, refused(err))
	}
	defer func() { _ = conn.CloseWithError(codeDone, "") }()
	if err := checkPeer(conn, identity.RoleCore, who.Peer); err != nil {
		return nil, fmt.Errorf("tell %s: %w", who.Peer, err)
	}
	var m message
	o = o.clipped()
	if err := ask(ctx, conn, message{T: tOrder, Version: version, Node: who.Node, Order: &o}, &m); err != nil {
		return nil, fmt.Errorf("tell %s: %w", who.Peer, refused(err))
	}
	if m.T != tDone {
		return nil, fmt.Errorf("tell %s: %w: it answers %q", who.Peer, ErrProtocol, m.T)
	}
	return m.Err, nil
}

// ask sends a message on a stream of its own and reads the answer.
func ask(ctx context.Context, conn *quic.Conn, m message, answer *message) error {
	st, err := conn.OpenStreamSync(ctx)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.CloseWithError(codeDone, "") })
	defer stop()
	if err = writeMessage(st, m); err == nil {
		err = readMessage(st, answer, maxPong)
	}
	return errors.Join(ctx.Err(), err)
}

// take answers a core that tells an order as the first thing that it says, and
// nothing else after it.
func (s *Server) take(ctx context.Context, conn *quic.Conn, st *quic.Stream, m *message) error {
	if m.Version != version || m.Order == nil {
		return fmt.Errorf("%w: an order of version %d", ErrProtocol, m.Version)
	}
	// Edges give no orders, also none to their siblings.
	if err := checkPeer(conn, identity.RoleCore, m.Node); err != nil {
		return err
	}
	if s.cfg.Ordered == nil {
		return fmt.Errorf("%w: this node takes no orders here", ErrProtocol)
	}
	done := message{T: tDone, Err: s.cfg.Ordered(m.Node, m.Order.clipped())}
	if err := writeMessage(st, done); err != nil {
		return fmt.Errorf("answer an order: %w", err)
	}
	_ = st.Close()
	timer := time.NewTimer(answerTime)
	defer timer.Stop()
	select { // it closes when it has the answer
	case <-conn.Context().Done():
	case <-timer.C:
	case <-ctx.Done():
	}
	return conn.CloseWithError(codeDone, "")
}

// clipped is the order with texts that are not longer than they may be.
func (o Order) clipped() Order {
	o.By, o.Via = clipName(o.By), clipName(o.Via)
	return o
}

func clipName(s string) string { return strings.ToValidUTF8(s[:min(len(s), maxBy)], "") }
