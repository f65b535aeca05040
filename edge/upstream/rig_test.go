package upstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
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
const logs = 3

// core is a link server over a source that a test writes to.
type core struct {
	t     *testing.T
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
}

func newCore(t *testing.T) *core {
	t.Helper()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	id, err := identity.DevNode("core", "core-1")
	if err != nil {
		t.Fatal(err)
	}
	c := &core{t: t, addr: udp.LocalAddr().String(), epoch: "e1", tails: map[wire.LogID]*tail.Tail{wire.StateLog: tail.New(1<<20, 0)}}
	for p := range wire.LogID(logs) {
		c.tails[p] = tail.New(1<<20, 0)
	}
	if c.srv, err = link.Listen(udp, link.ServerConfig{TLS: id.ServerTLS(), Source: c, Logger: slog.New(slog.DiscardHandler)}); err != nil {
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
		_ = udp.Close()
	})
	t.Cleanup(c.stop)
	return c
}

// frame appends a frame of a channel to its log.
func (c *core) frame(ch wire.Channel, seq wire.Seq) {
	p := wire.LogOf(ch, logs)
	c.tails[p].Append(tail.Record{Seq: seq, Kind: tail.Frame, Keys: [2]wire.Key{wire.FramesKey(ch)}, Bytes: []byte(fmt.Sprintf("%s %d", ch, seq))})
}

func (c *core) Epoch() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.epoch
}

func (c *core) Logs() int                    { return logs }
func (c *core) Tail(p wire.LogID) *tail.Tail { return c.tails[p] }

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

// sink writes down what comes.
type sink struct {
	mu     sync.Mutex
	linked []string       // guarded by mu: the epoch of each link
	cuts   int            // guarded by mu
	pos    []wire.Seq     // guarded by mu: by log, the state log last
	live   map[string]int // guarded by mu: how often each Want.Token was answered
	marks  map[string]link.Marker
	frames []string // guarded by mu
	sigs   int      // guarded by mu
	refuse error    // guarded by mu: the answer to Linked
}

func newSink() *sink { return &sink{live: map[string]int{}, marks: map[string]link.Marker{}} }

func (s *sink) Linked(epoch string, _ int, ends []wire.Seq) ([]wire.Seq, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.linked) == 0 || s.linked[len(s.linked)-1] != epoch {
		s.pos = slices.Clone(ends)
	}
	s.linked = append(s.linked, epoch)
	return slices.Clone(s.pos), s.refuse
}

func (s *sink) Records(p wire.LogID, records []tail.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range records {
		if r.Kind == tail.Frame {
			s.frames = append(s.frames, string(r.Bytes))
		}
		if r.Kind == tail.Watermark && p != wire.StateLog {
			s.pos[p] = max(s.pos[p], r.Seq)
		}
	}
}

func (s *sink) Live(p wire.LogID, wants []Want, m link.Marker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range wants {
		s.live[w.Token.(string)]++
		s.marks[w.Token.(string)] = m
	}
	if p != wire.StateLog {
		s.pos[p] = max(s.pos[p], m.Seq)
	}
}

func (s *sink) Gap(wire.LogID, wire.Seq) {}

func (s *sink) Signal(*wire.Signal) {
	s.mu.Lock()
	s.sigs++
	s.mu.Unlock()
}

func (s *sink) Unlinked(error) {
	s.mu.Lock()
	s.cuts++
	s.mu.Unlock()
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
func start(t *testing.T, s Sink, targets func() []Target) (*Upstream, chan struct{}) {
	t.Helper()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	id, err := identity.DevNode("edge", "edge-1")
	if err != nil {
		t.Fatal(err)
	}
	tr := link.NewTransport(udp)
	changed := make(chan struct{}, 1)
	u := New(Config{
		Transport: tr, TLS: id.ClientTLS(), Node: "edge-1", Region: "eu-west", Sink: s,
		Targets: targets, TargetsChanged: changed, Logger: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- u.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		_ = tr.Close()
		_ = udp.Close()
	})
	return u, changed
}

func only(c *core) func() []Target {
	return func() []Target { return []Target{{Node: "core-1", Addr: c.addr}} }
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
