package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	"selvedge/wire"
	"selvedge/wire/link"
	"selvedge/wire/tail"
)

// Target is a node to take logs from.
type Target struct {
	Node string
	Addr string // host:port, UDP
}

// Sink takes what comes down. For one log its methods are called from one
// goroutine, in order; different logs come concurrently.
type Sink interface {
	// Linked tells of a new link before anything comes over it, and returns
	// from where to follow each log, the state log last; link.Live starts at
	// the end. No other method runs meanwhile. An error ends the link.
	Linked(epoch string, logs int, ends []wire.Seq) (after []wire.Seq, err error)
	// Records are frames, state records and watermarks.
	Records(p wire.LogID, records []tail.Record)
	// Live says that wants hold from the marker on.
	Live(p wire.LogID, wants []Want, m link.Marker)
	Gap(p wire.LogID, floor wire.Seq)
	Signal(s *wire.Signal)
	// Unlinked tells that the link is gone.
	Unlinked(err error)
}

// Config sets up an Upstream. It is not modified.
type Config struct {
	Transport    *quic.Transport
	TLS          *tls.Config
	Node, Region string
	// Targets are the nodes to try, best first.
	Targets func() []Target
	// TargetsChanged receives when Targets may answer differently; nil = never.
	TargetsChanged <-chan struct{}
	Sink           Sink
	// Status is told upstream each second, for people; nil = nothing is.
	Status func() link.Status
	Logger *slog.Logger
}

// ErrUnavailable: there is no link, or it broke before the answer.
var ErrUnavailable = errors.New("no link to a core")

const (
	// dialTimeout bounds one try: three round trips of the longest ocean.
	dialTimeout = 5 * time.Second
	// The pause between tries doubles from minBackoff to maxBackoff. It starts
	// anew after a link that lived that long: one that is made and broken at
	// once is no success.
	minBackoff = 100 * time.Millisecond
	maxBackoff = 2 * time.Second
)

// Upstream is the edge's way to the logs. Its methods are safe for concurrent
// use.
type Upstream struct {
	cfg  Config
	kick chan struct{} // capacity 1: some interest waits to be sent

	mu     sync.Mutex
	link   *link.Link    // guarded by mu; nil while there is none
	target string        // guarded by mu; the node that link leads to
	linked chan struct{} // guarded by mu; closed when link is set, then new
	logs   map[wire.LogID]*interests
	lastID uint64 // guarded by mu; ids of deltas ascend over all links
}

// New is an Upstream; Run makes it work.
func New(cfg Config) *Upstream {
	return &Upstream{
		cfg: cfg, kick: make(chan struct{}, 1),
		linked: make(chan struct{}), logs: map[wire.LogID]*interests{},
	}
}

// Run keeps a link until ctx ends.
func (u *Upstream) Run(ctx context.Context) error {
	backoff := minBackoff
	var told string // the last trouble logged, so that it is logged once
	for {
		err := u.once(ctx, &backoff)
		if ctx.Err() != nil {
			return nil
		}
		if text := err.Error(); text != told {
			level := slog.LevelWarn
			if errors.Is(err, errNoCore) {
				level = slog.LevelInfo // as at every start: gossip takes a moment
			}
			u.cfg.Logger.Log(ctx, level, "no upstream", "err", err)
			told = text
		}
		t := time.NewTimer(backoff/2 + rand.N(backoff/2))
		select {
		case <-ctx.Done():
		case <-u.cfg.TargetsChanged:
		case <-t.C:
		}
		t.Stop()
		backoff = min(2*backoff, maxBackoff)
	}
}

// errNoCore: gossip knows of nobody to link to.
var errNoCore = errors.New("no core is known yet")

// once tries the targets in order, and serves the first link that comes up
// until it ends.
func (u *Upstream) once(ctx context.Context, backoff *time.Duration) error {
	err := errNoCore
	for _, t := range u.cfg.Targets() {
		var l *link.Link
		if l, err = u.dial(ctx, t); err != nil {
			continue
		}
		start := time.Now()
		err = u.serve(ctx, l, t)
		if time.Since(start) > maxBackoff {
			*backoff = minBackoff
		}
		return err
	}
	return err
}

func (u *Upstream) dial(ctx context.Context, t Target) (*link.Link, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	addr, err := net.ResolveUDPAddr("udp", t.Addr)
	if err != nil {
		return nil, err
	}
	return link.Dial(ctx, u.cfg.Transport, addr, link.DialConfig{
		TLS: u.cfg.TLS, Node: u.cfg.Node, Region: u.cfg.Region, Receiver: receiver{u}, Status: u.cfg.Status,
	})
}

// serve opens the logs over l and feeds the sink until l ends.
func (u *Upstream) serve(ctx context.Context, l *link.Link, t Target) error {
	defer l.Close()
	after, err := u.cfg.Sink.Linked(l.Epoch, l.Logs, l.Ends)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	err = u.open(ctx, l, after)
	if err == nil {
		u.setLink(l, t.Node)
		u.cfg.Logger.Info("linked", "to", t.Node, "addr", t.Addr, "epoch", l.Epoch)
		err = u.sendInterests(ctx, l)
	}
	l.Close()
	runErr := <-done
	u.setLink(nil, "")
	u.unsent()
	if err = errors.Join(err, runErr); err == nil {
		err = errors.New("the link was closed by the other side")
	}
	u.cfg.Sink.Unlinked(err)
	return err
}

func (u *Upstream) setLink(l *link.Link, target string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.link, u.target = l, target
	if l != nil {
		close(u.linked)
		u.linked = make(chan struct{})
	}
}

// Status describes the present link; ok is false while there is none.
func (u *Upstream) Status() (to string, rtt, offset time.Duration, ok bool) {
	u.mu.Lock()
	l, to := u.link, u.target
	u.mu.Unlock()
	if l == nil {
		return "", 0, 0, false
	}
	return to, l.RTT(), l.ClockOffset(), true
}

// Query asks the core, and waits for a link as long as ctx lets it. A query
// whose link breaks is asked again, but for a publish without an idempotency
// id: that one fails with ErrUnavailable, as does a query that the core doesn't
// answer over a link that holds.
func (u *Upstream) Query(ctx context.Context, q *wire.Query) (*wire.Answer, error) {
	for {
		u.mu.Lock()
		l, linked := u.link, u.linked
		u.mu.Unlock()
		if l == nil {
			select {
			case <-linked:
				continue
			case <-ctx.Done():
				return nil, ErrUnavailable
			}
		}
		a, err := l.Query(ctx, q)
		if err == nil {
			return a, nil
		}
		if ctx.Err() != nil || q.T == wire.QPublish && q.MsgID == "" {
			return nil, errors.Join(ErrUnavailable, err)
		}
		select { // the link tells a little later that it is broken, if it is
		case <-l.Done():
		case <-ctx.Done():
			return nil, ErrUnavailable
		case <-time.After(minBackoff):
			return nil, errors.Join(ErrUnavailable, err)
		}
		select { // Run will notice, and make another
		case <-linked:
		case <-ctx.Done():
			return nil, ErrUnavailable
		}
	}
}

// Signal passes a signal on, best effort.
func (u *Upstream) Signal(s *wire.Signal) error {
	u.mu.Lock()
	l := u.link
	u.mu.Unlock()
	if l == nil {
		return ErrUnavailable
	}
	return l.Signal(s)
}

// receiver is the Upstream as its link sees it.
type receiver struct{ u *Upstream }

func (r receiver) Records(p wire.LogID, records []tail.Record) { r.u.cfg.Sink.Records(p, records) }
func (r receiver) Gap(p wire.LogID, floor wire.Seq)            { r.u.cfg.Sink.Gap(p, floor) }
func (r receiver) Signal(s *wire.Signal)                       { r.u.cfg.Sink.Signal(s) }
func (r receiver) Marker(p wire.LogID, m link.Marker)          { r.u.marker(p, m) }
