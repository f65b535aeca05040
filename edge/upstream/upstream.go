package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	"selvedge/topology"
	"selvedge/wire"
	"selvedge/wire/link"
	"selvedge/wire/tail"
)

// Target is a core to take logs from, or an edge of our region that may relay some.
type Target struct {
	Node   string         // its name, which its certificate must bear
	Addr   string         // host:port, UDP
	Region string         // for Events.Received
	State  topology.State // as gossip has it; "" counts as ready
	Relay  bool           // it is an edge
}

// Sink takes what comes down. For one log its methods are called from one
// goroutine at a time, in order, also when the log moves from link to link;
// different logs come concurrently.
type Sink interface {
	// Begin tells of the cluster's logs, and where they end, before anything else;
	// and again when they have another epoch. No other method runs meanwhile. An
	// error ends the link that brought it.
	Begin(epoch string, logs int, ends []wire.Seq) error
	// Position is where log p is to be followed from: how far it was taken.
	Position(p wire.LogID) wire.Seq
	// Records are frames, state records and watermarks.
	Records(p wire.LogID, records []tail.Record)
	// Live says that wants hold from the marker on.
	Live(p wire.LogID, wants []Want, m link.Marker)
	Gap(p wire.LogID, floor wire.Seq, lost []wire.Key)
	Signal(s *wire.Signal)
	// Linked tells of a new link, Unlinked of one that was lost, or whose core has
	// stopped (ErrLeft).
	Linked(node string)
	Unlinked(node string, err error)
}

// Config sets up an Upstream. It is not modified.
type Config struct {
	Transport    *quic.Transport
	TLS          *tls.Config
	Node, Region string
	// Targets are the cores that there are, nearest first, and our siblings.
	Targets func() []Target
	// Relay names the sibling that relays a frame log of so many, "" = none does:
	// it is taken from a core. It must not block. Nil = never.
	Relay func(log, logs int) string
	// Placed is told whenever a log was placed, with who feeds it. It must not block,
	// and not call back. Nil = nobody is.
	Placed func(p wire.LogID, byCore bool)
	// Fed is how many siblings take a log from us; nil = none.
	Fed func(p wire.LogID) int
	// TargetsChanged receives when Targets may answer differently; nil = never.
	TargetsChanged <-chan struct{}
	Sink           Sink
	// Status is told upstream each second, for people; nil = nothing is.
	Status func() link.Status
	// Ordered is told what a core wants of this edge, by each core that it is linked to.
	// It must not block. Nil = nobody is.
	Ordered func(core string, o link.Order)
	Events  Events
	Logger  *slog.Logger
}

// Errors of this package.
var (
	// ErrUnavailable: there is no link to ask, or it broke before the answer, or
	// the answer is of another epoch.
	ErrUnavailable = errors.New("no link to a core")
	// ErrLeft: the core has stopped, in good order.
	ErrLeft = errors.New("the core has left")
	// errNoCore: gossip knows of nobody to link to.
	errNoCore = errors.New("no core is known yet")
)

// Upstream is the edge's way to the logs. Its methods are safe for concurrent
// use.
type Upstream struct {
	cfg    Config
	began  time.Time      // a monotonic zero
	replan chan struct{}  // capacity 1: there may be something to plan
	wg     sync.WaitGroup // links, and logs that are being closed

	mu       sync.Mutex
	epoch    string                   // guarded by mu; "" = no core has told yet
	count    int                      // guarded by mu; frame logs, 0 as long
	changing bool                     // guarded by mu: the epoch is, and nothing may be opened
	left     map[string]time.Time     // guarded by mu; epochs that were followed, and until when
	logs     map[wire.LogID]*followed // guarded by mu
	nodes    map[string]*node         // guarded by mu
	lastID   uint64                   // guarded by mu; ids of deltas ascend over all links
	linked   chan struct{}            // guarded by mu; closed when there is another way to ask, then new
	nobody   bool                     // guarded by mu: that no core is known was logged
}

// New is an Upstream; Run makes it work.
func New(cfg Config) *Upstream {
	cfg.Events = cfg.Events.withDefaults()
	return &Upstream{
		cfg: cfg, began: time.Now(), replan: make(chan struct{}, 1), left: map[string]time.Time{},
		logs: map[wire.LogID]*followed{}, nodes: map[string]*node{}, linked: make(chan struct{}),
	}
}

// Run keeps the links and follows the logs until ctx ends.
func (u *Upstream) Run(ctx context.Context) error {
	defer u.wg.Wait()
	t := time.NewTimer(0)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-u.cfg.TargetsChanged:
		case <-u.replan:
		case <-t.C:
		}
		t.Reset(u.plan(ctx, time.Now()))
	}
}

// look has the planner look again.
func (u *Upstream) look() {
	select {
	case u.replan <- struct{}{}:
	default:
	}
}

// tellLocked wakes those who wait for a way to ask.
func (u *Upstream) tellLocked() {
	close(u.linked)
	u.linked = make(chan struct{})
}

// now is the time since the Upstream was made: no clock that is set moves it.
func (u *Upstream) now() time.Duration { return time.Since(u.began) }

// Fresh is when the last watermark of log p came, by the monotonic clock; zero if
// none has. Everything of ours in p up to some moment before it was received; an
// answer is as old as that.
func (u *Upstream) Fresh(p wire.LogID) time.Time {
	u.mu.Lock()
	lg := u.logs[p]
	u.mu.Unlock()
	if lg == nil || lg.water.Load() == 0 {
		return time.Time{}
	}
	return u.began.Add(time.Duration(lg.water.Load()))
}

// End is where log p ends, as far as was heard: its core tells each second, also
// when the log's own stream is stuck. 0 before the first link.
func (u *Upstream) End(p wire.LogID) wire.Seq {
	u.mu.Lock()
	defer u.mu.Unlock()
	if lg := u.logs[p]; lg != nil {
		return lg.end
	}
	return 0
}

// Link describes a link that is up.
type Link struct {
	Node        string
	RTT, Offset time.Duration
	Logs        int // followed over it, the state log among them
}

// Links are the links that are up, nearest core first.
func (u *Upstream) Links() []Link {
	u.mu.Lock()
	defer u.mu.Unlock()
	var out []Link
	for _, s := range u.sessionsLocked() {
		l := Link{Node: s.n.name, RTT: s.l.RTT(), Offset: s.l.ClockOffset()}
		for _, lg := range u.logs {
			if lg.at == s {
				l.Logs++
			}
		}
		out = append(out, l)
	}
	return out
}

// Status describes the link that the state log comes by, or else the nearest;
// ok is false while there is none.
func (u *Upstream) Status() (to string, rtt, offset time.Duration, ok bool) {
	u.mu.Lock()
	s := u.askLocked(&wire.Query{P: wire.StateLog}).s
	if s == nil {
		s = u.nearestLocked()
	}
	u.mu.Unlock()
	if s == nil {
		return "", 0, 0, false
	}
	return s.n.name, s.l.RTT(), s.l.ClockOffset(), true
}

// Signal passes a signal on, best effort, to the core that serves its channel's
// log: that one knows who else wants it.
func (u *Upstream) Signal(sig *wire.Signal) error {
	u.mu.Lock()
	s := u.askLocked(&wire.Query{T: wire.QHistory, Ch: sig.Ch}).s
	u.mu.Unlock()
	if s == nil {
		return ErrUnavailable
	}
	return s.l.Signal(sig)
}
