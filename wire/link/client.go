package link

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"golang.org/x/sync/errgroup"

	"selvedge/internal/identity"
	"selvedge/wire"
	"selvedge/wire/tail"
)

// Receiver takes what the upstream sends. For one log its methods are called
// from one goroutine, in the stream's order; different logs come concurrently.
type Receiver interface {
	// Records are frames, state records and watermarks; their Keys are not
	// set. They may be kept.
	Records(p wire.LogID, records []tail.Record)
	Marker(p wire.LogID, m Marker)
	// Gap says that everything up to floor that was not received is gone, and
	// that only the interests in lost had, or may have had, any of it.
	Gap(p wire.LogID, floor wire.Seq, lost []wire.Key)
	// Behind says that the upstream's log ends before the position that it was
	// opened after. Nothing follows: close the log, and look elsewhere.
	Behind(p wire.LogID, end wire.Seq)
	// Elsewhere says that the upstream, a relay, does not have the log, or not as it
	// was opened, or will not have what follows. Nothing follows, as after Behind.
	Elsewhere(p wire.LogID)
	Signal(s *wire.Signal)
}

// DialConfig sets up a Link. It is not modified.
type DialConfig struct {
	TLS          *tls.Config // with our certificate, and a check of the peer's
	Node, Region string      // who we are; Node is what our certificate names
	Peer         string      // the core that must answer; "" = any core
	// Relay says that an edge must answer, of our region: Peer.
	Relay    bool
	Receiver Receiver
	Status   func() Status // told upstream each second; nil = nothing is
	// Ends is told where the upstream's logs end, the state log last: at about each
	// second, from one goroutine. It must not keep the slice. Nil = nobody is.
	Ends func([]wire.Seq)
	// Ordered is told what the core wants of this node, once for each link, from the
	// goroutine that reads pongs: it must not block. Nobody is told what a relay wants.
	// Nil = nobody is.
	Ordered func(Order)
}

// Link is the side that follows. Its methods are safe for concurrent use.
type Link struct {
	// Fixed.
	cfg     DialConfig
	conn    *quic.Conn
	control *quic.Stream
	Epoch   string
	Logs    int
	Ends    []wire.Seq // by log at the time of hello, the state log last

	writing  chan struct{} // capacity 1: held while writing to control
	signals  chan []byte   // to be sent; never closed
	finished chan struct{} // closed when Run has returned
	offset   atomic.Int64  // nanoseconds that the peer's clock is ahead of ours
	rtt      atomic.Int64  // nanoseconds, of the best recent ping
	pings    pings
	water    chan struct{} // capacity 1: a watermark came

	mu   sync.Mutex
	logs map[wire.LogID]*logStream // guarded by mu; the newest of each log
}

// Dial connects to an upstream over tr and says hello. Run must follow.
func Dial(ctx context.Context, tr *quic.Transport, addr net.Addr, cfg DialConfig) (*Link, error) {
	role, timeout, keepAlive := identity.RoleCore, idleTimeout, idleTimeout/2
	if cfg.Relay {
		role, timeout, keepAlive = identity.RoleEdge, nearTimeout, nearKeepAlive
	}
	conn, err := tr.Dial(ctx, addr, withALPN(cfg.TLS), quicConfig(timeout, keepAlive))
	if err != nil {
		return nil, fmt.Errorf("link to %s: %w", addr, refused(err))
	}
	l := &Link{
		cfg: cfg, conn: conn, logs: map[wire.LogID]*logStream{},
		writing: make(chan struct{}, 1), signals: make(chan []byte, maxSignals), water: make(chan struct{}, 1), finished: make(chan struct{}),
	}
	if cfg.Peer == "" {
		_, err = peerName(conn, role)
	} else {
		err = checkPeer(conn, role, cfg.Peer)
	}
	if err == nil {
		err = refused(l.hello(ctx))
	}
	if err != nil {
		_ = conn.CloseWithError(codeProtocol, clipReason(err))
		return nil, fmt.Errorf("link to %s: %w", addr, err)
	}
	return l, nil
}

func (l *Link) hello(ctx context.Context) error {
	var err error
	if l.control, err = l.conn.OpenStreamSync(ctx); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = l.control.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := writeMessage(l.control, message{T: tHello, Version: version, Node: l.cfg.Node, Region: l.cfg.Region}); err != nil {
		return err
	}
	var m message
	if err := readMessage(l.control, &m, 1<<20); err != nil {
		return fmt.Errorf("read welcome: %w", err)
	}
	if !stop() {
		return ctx.Err() // the deadline is set, or about to be
	}
	if m.T != tWelcome || m.Logs < 1 || m.Logs > wire.MaxLogs || len(m.Ends) != m.Logs+1 {
		return fmt.Errorf("%w: a welcome of %d logs", ErrProtocol, m.Logs)
	}
	l.Epoch, l.Logs, l.Ends = m.Epoch, m.Logs, m.Ends
	return nil
}

// Run receives until ctx ends or the link is closed in good order (then it
// returns nil), or the link fails. It waits for the Receiver's last call.
func (l *Link) Run(parent context.Context) error {
	defer close(l.finished)
	g, ctx := errgroup.WithContext(parent)
	g.Go(func() error { return l.acceptLogs(ctx, g) })
	g.Go(l.readControl)
	g.Go(func() error { return l.ping(ctx) })
	g.Go(func() error { return l.readSignals(ctx) })
	g.Go(func() error { return sendSignals(ctx, l.conn, l.signals) })
	g.Go(func() error {
		<-ctx.Done()
		if parent.Err() != nil {
			return l.conn.CloseWithError(codeDone, "")
		}
		return closeAfter(l.conn, context.Cause(ctx))
	})
	if err := g.Wait(); parent.Err() == nil {
		return ended(err)
	}
	return nil
}

// Close ends the link; Run returns.
func (l *Link) Close() { _ = l.conn.CloseWithError(codeDone, "") }

func (l *Link) send(ctx context.Context, m message) error {
	return l.sendIf(ctx, m, func() error { return nil })
}

// sendIf sends m if ok, which is called when it is m's turn.
func (l *Link) sendIf(ctx context.Context, m message, ok func() error) error {
	b, err := encodeMessage(m)
	if err != nil {
		return err
	}
	select {
	case l.writing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-l.writing }()
	if err := ok(); err != nil {
		return err
	}
	_, err = l.control.Write(b)
	return err
}

// Query asks the upstream. An answer with Err set is returned as it is; error
// means that there is none.
func (l *Link) Query(ctx context.Context, q *wire.Query) (*wire.Answer, error) {
	st, err := l.conn.OpenStreamSync(ctx)
	if err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	stop := context.AfterFunc(ctx, func() {
		st.CancelRead(quic.StreamErrorCode(codeDone))
		st.CancelWrite(quic.StreamErrorCode(codeDone))
	})
	defer stop()
	var a *wire.Answer
	if err = writeMessage(st, q); err == nil {
		_ = st.Close()
		a, err = readAnswer(st, q)
	}
	if err != nil {
		st.CancelRead(quic.StreamErrorCode(codeDone))
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, fmt.Errorf("query: %w", err)
	}
	return a, nil
}

func readAnswer(st io.Reader, q *wire.Query) (*wire.Answer, error) {
	b, err := readEncoded(st, maxControl, q.Space)
	if err != nil {
		return nil, err
	}
	return wire.ParseAnswer(q.T, b)
}

// Signal sends a signal upstream, best effort: it never blocks. It fails if s
// is larger than wire.MaxSignal bytes.
func (l *Link) Signal(s *wire.Signal) error {
	b, err := appendSignal(s)
	if err != nil {
		return err
	}
	select {
	case l.signals <- b:
	default: // the link is busy
	}
	return nil
}

// RTT is the best round trip of the recent pings, zero before the first.
func (l *Link) RTT() time.Duration { return time.Duration(l.rtt.Load()) }

// ClockOffset is how far the peer's clock is ahead of ours, estimated as in
// NTP (RFC 5905, section 8) from the ping with the best round trip.
func (l *Link) ClockOffset() time.Duration { return time.Duration(l.offset.Load()) }

// ping pings about each second: with the acknowledgement of the watermarks, which come
// each second, too. What is near says something each half second that way, and is
// missed the sooner: there, pings are half way between two watermarks.
func (l *Link) ping(ctx context.Context) error {
	after := time.Duration(0)
	if l.cfg.Relay {
		after = pingEvery / 2
	}
	t := time.NewTimer(0)
	defer t.Stop()
	var last, next time.Time
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-l.water:
			due := time.Now().Add(after)
			if due.Before(next) && due.Sub(last) >= pingEvery-pingEarly {
				next = due
				t.Reset(after)
			}
			continue
		case <-t.C:
		}
		m := message{T: tPing}
		if l.cfg.Status != nil {
			st := l.cfg.Status()
			m.Status = &st
		}
		last = time.Now()
		next = last.Add(pingEvery + pingEarly)
		t.Reset(pingEvery + pingEarly)
		m.Sent = l.pings.sent(last)
		if err := l.send(ctx, m); err != nil {
			return err
		}
	}
}

// watered takes note that a watermark came.
func (l *Link) watered() {
	select {
	case l.water <- struct{}{}:
	default:
	}
}

// readControl takes pongs.
func (l *Link) readControl() error {
	var r race
	ordered := l.cfg.Relay || l.cfg.Ordered == nil // told, or not to be told
	for {
		var m message
		if err := readMessage(l.control, &m, maxPong); err != nil {
			return err
		}
		if m.T != tPong {
			return fmt.Errorf("%w: a control message %q", ErrProtocol, m.T)
		}
		now := time.Now()
		if rtt, offset, ok := l.pings.pong(m.Sent, m.At, now.UnixNano(), now); ok && r.run(rtt, offset) {
			l.rtt.Store(int64(rtt))
			l.offset.Store(int64(offset))
		}
		if l.cfg.Ends != nil && len(m.Ends) == l.Logs+1 {
			l.cfg.Ends(m.Ends)
		}
		if m.Order != nil && !ordered {
			ordered = true
			l.cfg.Ordered(*m.Order)
		}
	}
}

func (l *Link) readSignals(ctx context.Context) error {
	for {
		b, err := l.conn.ReceiveDatagram(ctx)
		if err != nil {
			return err
		}
		s := new(wire.Signal)
		if wire.Msgpack.Decode(b, s) == nil && s.Ch.Check() == nil {
			l.cfg.Receiver.Signal(s)
		}
	}
}

// NewTransport lets links be dialled, and taken, over one socket. Its owner
// closes it, then pc.
func NewTransport(pc net.PacketConn) *quic.Transport { return &quic.Transport{Conn: pc} }

// Left reports whether the link has ended because the upstream stopped, in good
// order.
func (l *Link) Left() bool {
	var app *quic.ApplicationError
	return errors.As(context.Cause(l.conn.Context()), &app) && app.Remote && app.ErrorCode == codeDone && app.ErrorMessage == leaving
}

// Done is closed when the link has ended.
func (l *Link) Done() <-chan struct{} { return l.conn.Context().Done() }
