package link

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"golang.org/x/sync/errgroup"

	"selvedge/internal/identity"
	"selvedge/wire"
)

// helloTimeout bounds the time from a connection to its hello.
const helloTimeout = 5 * time.Second

// peer is one downstream of a server.
type peer struct {
	// Fixed after handshake.
	srv          *Server
	src          Source
	conn         *quic.Conn
	control      *quic.Stream
	node, region string

	signals chan []byte // to be sent; never closed
	company *company    // of the feeds

	status atomic.Pointer[Status] // the newest
	order  atomic.Pointer[Order]  // to be told with each pong; nil = none

	mu      sync.Mutex
	feeds   map[wire.LogID]*feed  // guarded by mu; the logs that are open
	opens   map[wire.LogID]uint64 // guarded by mu; how often each was opened
	running int                   // guarded by mu; feeds, with those that were closed and still run
	opened  chan struct{}         // guarded by mu; closed when there is one more, then new
}

// first reads what the peer says first: hello, or an order.
func first(ctx context.Context, conn *quic.Conn) (st *quic.Stream, m *message, err error) {
	ctx, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	if st, err = conn.AcceptStream(ctx); err != nil {
		return nil, nil, fmt.Errorf("no control stream: %w", err)
	}
	_ = st.SetReadDeadline(time.Now().Add(helloTimeout))
	m = new(message)
	if err := readMessage(st, m, 1<<10); err != nil {
		return nil, nil, fmt.Errorf("read hello: %w", err)
	}
	_ = st.SetReadDeadline(time.Time{})
	return st, m, nil
}

// handshake answers the hello.
func (p *peer) handshake(control *quic.Stream, m *message) error {
	if m.T != tHello || m.Version != version {
		return fmt.Errorf("%w: expected hello of version %d, got %q of version %d", ErrProtocol, version, m.T, m.Version)
	}
	// Only edges dial. A name that is not its certificate's would stand in logs
	// and metrics, and keep signals from the node that has it.
	if err := checkPeer(p.conn, identity.RoleEdge, m.Node); err != nil {
		return err
	}
	p.control, p.node, p.region = control, m.Node, m.Region
	ends := p.ends()
	return writeMessage(control, message{T: tWelcome, Epoch: p.src.Epoch(), Logs: len(ends) - 1, Ends: ends})
}

// ends are the logs' ends, the state log's last.
func (p *peer) ends() []wire.Seq {
	logs := p.src.Logs()
	ends := make([]wire.Seq, logs+1)
	for i := range ends {
		id := wire.LogID(i)
		if i == logs {
			id = wire.StateLog
		}
		ends[i] = p.src.End(id)
	}
	return ends
}

// run serves the link until it ends, or ctx does, since the server stops.
func (p *peer) run(parent context.Context) error {
	g, ctx := errgroup.WithContext(parent)
	g.Go(func() error { return p.readControl(ctx, g) })
	g.Go(func() error { return p.acceptQueries(ctx, g) })
	g.Go(func() error { return p.readSignals(ctx) })
	g.Go(func() error { return sendSignals(ctx, p.conn, p.signals) })
	g.Go(func() error { // whatever ends first ends the connection, and so the rest
		<-ctx.Done()
		if parent.Err() != nil {
			return p.conn.CloseWithError(codeDone, leaving)
		}
		return closeAfter(p.conn, context.Cause(ctx))
	})
	return ended(g.Wait())
}

func (p *peer) readControl(ctx context.Context, g *errgroup.Group) error {
	for {
		var m message
		if err := readMessage(p.control, &m, maxControl); err != nil {
			return fmt.Errorf("read control stream: %w", err)
		}
		var err error
		switch m.T {
		case tOpen:
			err = p.open(ctx, g, &m)
		case tInterest:
			f := p.feed(m.P)
			if f == nil {
				return fmt.Errorf("%w: interest in log %d, which is not open", ErrProtocol, m.P)
			}
			err = f.change(&delta{id: m.ID, add: m.Add, del: m.Del, since: m.After, marker: true})
		case tClose:
			err = p.closeLog(m.P)
		case tPing:
			at := time.Now().UnixNano()
			p.status.Store(m.Status)
			err = writeMessage(p.control, message{T: tPong, Sent: m.Sent, At: at, Ends: p.ends(), Order: p.order.Load()})
		default:
			err = fmt.Errorf("%w: a control message %q", ErrProtocol, m.T)
		}
		if err != nil {
			return err
		}
	}
}

func (p *peer) open(ctx context.Context, g *errgroup.Group, m *message) error {
	if m.P != wire.StateLog && int(m.P) >= p.src.Logs() || p.feed(m.P) != nil {
		return fmt.Errorf("%w: log %d can't be opened", ErrProtocol, m.P)
	}
	out, err := p.conn.OpenUniStreamSync(ctx)
	if err != nil {
		return fmt.Errorf("open a stream for log %d: %w", m.P, err)
	}
	p.mu.Lock()
	p.running++
	if n := p.running; n > maxFeeds*(p.src.Logs()+1) {
		p.mu.Unlock()
		return fmt.Errorf("%w: %d logs are being fed: those that were closed are not read to their end", ErrProtocol, n)
	}
	p.opens[m.P]++
	f := newFeed(p.src, m.P, p.opens[m.P], out, p.region, &p.srv.cfg.Events, p.company)
	f.begin()
	own, stop := context.WithCancel(ctx)
	f.stop = stop
	p.feeds[m.P] = f
	close(p.opened)
	p.opened = make(chan struct{})
	p.mu.Unlock()
	if err := f.change(&delta{id: m.ID, add: m.Add, since: m.After, marker: m.After == Live}); err != nil {
		return err
	}
	g.Go(func() error {
		defer stop()
		defer context.AfterFunc(out.Context(), stop)() // the downstream reads no more
		err := f.run(own, m.After)
		p.mu.Lock()
		p.running--
		p.mu.Unlock()
		if ctx.Err() != nil || err != nil && own.Err() == nil && out.Context().Err() == nil {
			return err
		}
		_ = out.Close() // fails if the downstream has given it up
		return nil
	})
	return nil
}

// closeLog ends the feed of a log. Its stream ends behind what was written.
func (p *peer) closeLog(id wire.LogID) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.feeds[id]
	if f == nil {
		return fmt.Errorf("%w: log %d is not open, and can't be closed", ErrProtocol, id)
	}
	delete(p.feeds, id)
	f.stop()
	return nil
}

func (p *peer) feed(id wire.LogID) *feed {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.feeds[id]
}

// waitFeed returns the feed of a log, which the downstream has opened or is
// about to: a query may overtake what was said on the control stream before.
func (p *peer) waitFeed(ctx context.Context, id wire.LogID) (*feed, error) {
	for {
		p.mu.Lock()
		f, opened := p.feeds[id], p.opened
		p.mu.Unlock()
		if f != nil {
			return f, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-opened:
		}
	}
}

func (p *peer) wants(log wire.LogID, k wire.Key) bool {
	f := p.feed(log)
	return f != nil && f.wants(k)
}

func (p *peer) acceptQueries(ctx context.Context, g *errgroup.Group) error {
	for {
		st, err := p.conn.AcceptStream(ctx)
		if err != nil {
			return err
		}
		g.Go(func() error {
			p.answer(ctx, st)
			return nil
		})
	}
}

// answer serves one query; its failures concern nobody but the asker.
func (p *peer) answer(ctx context.Context, st *quic.Stream) {
	defer st.Close()
	var q wire.Query
	if err := readMessage(st, &q, maxControl); err != nil {
		st.CancelRead(quic.StreamErrorCode(codeProtocol))
		return
	}
	// The asker may give up: its reset ends the work.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(st.Context(), cancel)()
	a := p.query(ctx, &q)
	if err := writeMessage(st, a); err != nil {
		st.CancelWrite(quic.StreamErrorCode(codeProtocol))
	}
}

func (p *peer) query(ctx context.Context, q *wire.Query) *wire.Answer {
	var applied wire.Seq
	if q.Marker > 0 {
		if q.P != wire.StateLog && int(q.P) >= p.src.Logs() {
			return &wire.Answer{Err: &wire.Error{Code: wire.BadRequest, Message: fmt.Sprintf("there is no log %d", q.P)}}
		}
		f, err := p.waitFeed(ctx, q.P)
		if err == nil {
			applied, err = f.waitApplied(ctx, q.Marker)
		}
		if err != nil {
			return &wire.Answer{Err: &wire.Error{Code: wire.Unavailable, Message: "the log was closed, or its link"}}
		}
	}
	return p.src.Query(ctx, p.node, q, applied)
}

func (p *peer) readSignals(ctx context.Context) error {
	for {
		b, err := p.conn.ReceiveDatagram(ctx)
		if err != nil {
			return err
		}
		var s wire.Signal
		if wire.Msgpack.Decode(b, &s) == nil && s.Ch.Check() == nil {
			p.src.Signal(p.node, &s)
		}
	}
}

func (p *peer) info() PeerInfo {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := PeerInfo{Node: p.node, Region: p.region, RTT: p.conn.ConnectionStats().SmoothedRTT, Logs: len(p.feeds)}
	if st := p.status.Load(); st != nil {
		i.Status = *st
	}
	for _, f := range p.feeds {
		i.Interests += f.interests()
	}
	i.State = p.feeds[wire.StateLog] != nil
	i.Open = slices.Sorted(maps.Keys(p.feeds))
	return i
}
