package upstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"selvedge/internal/identity"
	"selvedge/wire"
	"selvedge/wire/link"
	"selvedge/wire/tail"
)

// patience bounds every wait; none comes near it.
const patience = 20 * time.Second

// logs is the number of frame logs of a fake core.
const logs = 8

// core is a link server over a source that a test writes to.
type core struct {
	link.Whole

	t     *testing.T
	name  string
	addr  string
	tails map[wire.LogID]*tail.Tail
	stop  func()
	srv   *link.Server

	mu      sync.Mutex
	epoch   string                                                  // guarded by mu
	answer  func(context.Context, string, *wire.Query) *wire.Answer // guarded by mu
	applied []wire.Seq                                              // guarded by mu: of each query
	queries []wire.Query                                            // guarded by mu
	signals []wire.Signal                                           // guarded by mu
	refuses bool                                                    // guarded by mu: a relay that has no log
	opened  int                                                     // guarded by mu: how often somebody looked for a tail
}

// isRelay reports whether a node of that name is an edge.
func isRelay(name string) bool { return strings.HasPrefix(name, "relay") }

// newCore is a core over loopback.
func newCore(t *testing.T) *core {
	t.Helper()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return newCoreOn(t, "core-1", udp)
}

func newCoreOn(t *testing.T, name string, pc net.PacketConn) *core {
	t.Helper()
	role := identity.RoleCore
	if isRelay(name) {
		role = identity.RoleEdge
	}
	id, err := identity.DevNode(role, name)
	if err != nil {
		t.Fatal(err)
	}
	c := &core{
		t: t, name: name, addr: pc.LocalAddr().String(), epoch: "e1",
		tails: map[wire.LogID]*tail.Tail{wire.StateLog: tail.New(1<<20, 0)},
	}
	for p := range wire.LogID(logs) {
		c.tails[p] = tail.New(1<<20, 0)
	}
	if c.srv, err = link.Listen(pc, link.ServerConfig{TLS: id.ServerTLS(), Source: c, Logger: discard()}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.srv.Run(ctx) }()
	c.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		_ = pc.Close()
	})
	t.Cleanup(c.stop)
	return c
}

// frame appends a frame of a channel to its log.
func (c *core) frame(ch wire.Channel, seq wire.Seq) {
	c.tails[wire.LogOf(ch, logs)].Append(frameOf(ch, seq))
}

func frameOf(ch wire.Channel, seq wire.Seq) tail.Record {
	return tail.Record{Seq: seq, Kind: tail.Frame, Keys: [2]wire.Key{wire.FramesKey(ch)}, Bytes: fmt.Appendf(nil, "%s %d", ch, seq)}
}

// renew gives the core another epoch, e2, and tells its links.
func (c *core) renew() {
	c.mu.Lock()
	c.epoch = "e2"
	c.mu.Unlock()
	c.srv.Reset("epoch")
}

func (c *core) Epoch() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.epoch
}

func (c *core) Logs() int { return logs }

func (c *core) Tail(p wire.LogID) *tail.Tail {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.opened++; c.refuses {
		return nil
	}
	return c.tails[p]
}

func (c *core) End(p wire.LogID) wire.Seq { return c.tails[p].End() }

func (c *core) Read(_ context.Context, _ wire.LogID, after wire.Seq, _ func([2]wire.Key) bool) ([]tail.Record, wire.Seq, wire.Seq, error) {
	return nil, after, 0, errors.New("the tail holds everything")
}

// Moved says that the log's end lies after since, for every key.
func (c *core) Moved(dst []wire.Key, p wire.LogID, keys []wire.Key, since wire.Seq) []wire.Key {
	if c.tails[p].End() > since {
		dst = append(dst, keys...)
	}
	return dst
}

func (c *core) Lost(dst []wire.Key, _ wire.LogID, _ map[wire.Key]struct{}, _, _ wire.Seq) []wire.Key {
	return dst
}

func (c *core) Query(ctx context.Context, node string, q *wire.Query, applied wire.Seq) *wire.Answer {
	c.mu.Lock()
	c.queries, c.applied = append(c.queries, *q), append(c.applied, applied)
	answer := c.answer
	c.mu.Unlock()
	if answer == nil {
		return &wire.Answer{Epoch: c.Epoch()}
	}
	return answer(ctx, node, q)
}

func (c *core) Signal(_ string, s *wire.Signal) {
	c.mu.Lock()
	c.signals = append(c.signals, *s)
	c.mu.Unlock()
}

func (c *core) asked() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.queries)
}

// hold makes a sink's calls for some logs wait.
type hold struct {
	logs  func(wire.LogID) bool
	until chan struct{}
}

// sink writes down what comes, and finds what must not be.
type sink struct {
	t *testing.T

	mu     sync.Mutex
	epochs []string                // guarded by mu: of each Begin
	linked []string                // guarded by mu: the node of each link
	cuts   int                     // guarded by mu
	left   []string                // guarded by mu: cores that have stopped
	why    map[Reason]int          // guarded by mu: of logs that were opened
	from   map[string]int          // guarded by mu: records by region
	pos    map[wire.LogID]wire.Seq // guarded by mu
	busy   map[wire.LogID]bool     // guarded by mu: a call is under way
	live   map[string]int          // guarded by mu: how often each Want.Token was answered
	marks  map[string]link.Marker
	frames []string                  // guarded by mu
	seqs   map[wire.LogID][]wire.Seq // guarded by mu: of the frames
	sigs   int                       // guarded by mu
	refuse error                     // guarded by mu: the answer to Begin

	again  int  // guarded by mu: frames that came once more, as a log's second stream may bring
	relays bool // fixed: so they may

	stuck atomic.Pointer[hold]
}

func newSink() *sink {
	return &sink{
		pos: map[wire.LogID]wire.Seq{}, busy: map[wire.LogID]bool{}, live: map[string]int{},
		marks: map[string]link.Marker{}, seqs: map[wire.LogID][]wire.Seq{}, why: map[Reason]int{}, from: map[string]int{},
	}
}

func (s *sink) Begin(epoch string, n int, ends []wire.Seq) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p, busy := range s.busy {
		if busy {
			s.t.Errorf("an epoch begins while log %d is with the sink", p)
		}
	}
	s.epochs = append(s.epochs, epoch)
	for p := range n {
		s.pos[wire.LogID(p)] = ends[p]
	}
	s.pos[wire.StateLog] = ends[n]
	clear(s.seqs)
	return s.refuse
}

func (s *sink) Position(p wire.LogID) wire.Seq {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[p] {
		s.t.Errorf("log %d is opened while it is with the sink", p)
	}
	return s.pos[p]
}

// enter is the beginning of a call for log p.
func (s *sink) enter(p wire.LogID) {
	s.mu.Lock()
	if s.busy[p] {
		s.t.Errorf("log %d comes from two streams", p)
	}
	s.busy[p] = true
	s.mu.Unlock()
	if stuck := s.stuck.Load(); stuck != nil && stuck.logs(p) {
		<-stuck.until
	}
	s.mu.Lock()
}

func (s *sink) leave(p wire.LogID) {
	s.busy[p] = false
	s.mu.Unlock()
}

func (s *sink) Records(p wire.LogID, records []tail.Record) {
	s.enter(p)
	defer s.leave(p)
	for _, r := range records {
		if r.Kind == tail.Frame {
			var ch string
			if _, err := fmt.Sscanf(string(r.Bytes), "%s %d", &ch, &r.Seq); err != nil {
				s.t.Error(err)
			}
			if s.relays && r.Seq <= s.pos[p] {
				s.again++
				continue
			}
			s.frames = append(s.frames, string(r.Bytes))
			s.seqs[p] = append(s.seqs[p], r.Seq)
		}
		s.pos[p] = max(s.pos[p], r.Seq)
	}
}

func (s *sink) Live(p wire.LogID, wants []Want, m link.Marker) {
	s.enter(p)
	defer s.leave(p)
	for _, w := range wants {
		s.live[w.Token.(string)]++
		s.marks[w.Token.(string)] = m
	}
	s.pos[p] = max(s.pos[p], m.Seq)
}

func (s *sink) Gap(wire.LogID, wire.Seq, []wire.Key) {}

func (s *sink) Signal(*wire.Signal) {
	s.mu.Lock()
	s.sigs++
	s.mu.Unlock()
}

func (s *sink) Linked(node string) {
	s.mu.Lock()
	s.linked = append(s.linked, node)
	s.mu.Unlock()
}

func (s *sink) Unlinked(node string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if errors.Is(err, ErrLeft) {
		s.left = append(s.left, node)
	} else {
		s.cuts++
	}
}

// events counts.
func (s *sink) events() Events {
	return Events{
		Resumed: func(why Reason) {
			s.mu.Lock()
			s.why[why]++
			s.mu.Unlock()
		},
		Received: func(region string, records []tail.Record) {
			s.mu.Lock()
			s.from[region] += len(records)
			s.mu.Unlock()
		},
	}
}

// get reads a part of the sink.
func get[T any](s *sink, fn func(*sink) T) T {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fn(s)
}

func (s *sink) links() int           { return get(s, func(s *sink) int { return len(s.linked) }) }
func (s *sink) lives(tok string) int { return get(s, func(s *sink) int { return s.live[tok] }) }

// start runs an Upstream over loopback until the test ends.
func start(t *testing.T, s *sink, targets func() []Target) (*Upstream, chan struct{}) {
	t.Helper()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	changed := make(chan struct{}, 1)
	return startOn(t, udp, s, targets, changed, discard()), changed
}

func startOn(t *testing.T, pc net.PacketConn, s *sink, targets func() []Target, changed chan struct{}, logger *slog.Logger, more ...func(*Config)) *Upstream {
	t.Helper()
	s.t = t
	id, err := identity.DevNode(identity.RoleEdge, "edge-1")
	if err != nil {
		t.Fatal(err)
	}
	tr := link.NewTransport(pc)
	cfg := Config{
		Transport: tr, TLS: id.ClientTLS(), Node: "edge-1", Region: "eu-west", Sink: s,
		Targets: targets, TargetsChanged: changed, Events: s.events(), Logger: logger,
	}
	for _, fn := range more {
		fn(&cfg)
	}
	u := New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- u.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		_ = tr.Close()
		_ = pc.Close()
	})
	return u
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func only1(c *core) func() []Target {
	return func() []Target { return []Target{{Node: c.name, Addr: c.addr}} }
}

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-timeout.C:
			t.Fatalf("never: %s", what)
		}
	}
}

// unlinked is an Upstream without Run, where log p is open at a link.
func unlinked(s *sink, ps ...wire.LogID) (*Upstream, *session) {
	u := New(Config{Sink: s, Logger: discard()})
	at := &session{u: u, kick: make(chan struct{}, 1), logs: map[wire.LogID]*followed{}}
	for _, p := range ps {
		lg := u.logLocked(p)
		lg.at, lg.phase = at, open
		at.logs[p] = lg
	}
	return u, at
}
