package gossip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"selvedge/topology"
)

func TestMain(m *testing.M) {
	code := m.Run()
	// memberlist's Shutdown doesn't wait for a probe under way, which may take two
	// probe intervals.
	deadline := time.Now().Add(10 * time.Second)
	err := goleak.Find()
	for err != nil && time.Now().Before(deadline) {
		err = goleak.Find()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// fixedKeys never change.
type fixedKeys [][]byte

func (k fixedKeys) Keys() [][]byte { return k }

// keyOf makes a key out of a letter.
func keyOf(letter string) []byte { return []byte(strings.Repeat(letter, 32)) }

var testKeys = fixedKeys{[]byte("0123456789abcdef0123456789abcdef")}

func node(id topology.NodeID) topology.Node {
	return topology.Node{ID: id, Role: topology.RoleEdge, Region: "eu-west", State: topology.StateReady, Link: "127.0.0.1:7411"}
}

// quick makes tests that wait for a second attempt short.
var quick = Timing{Retry: 50 * time.Millisecond, RetryMax: 200 * time.Millisecond}

func start(t *testing.T, cfg Config) *Gossip {
	t.Helper()
	if cfg.Bind == "" && cfg.Transport == nil {
		cfg.Bind = "127.0.0.1:0"
	}
	if cfg.Keys == nil {
		cfg.Keys = testKeys
	}
	g, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// await waits until g's snapshot is as wanted.
func await(t *testing.T, g *Gossip, what string, within time.Duration, wanted func(topology.Snapshot) bool) {
	t.Helper()
	changed, stop := g.Watch()
	defer stop()
	timeout := time.NewTimer(within)
	defer timeout.Stop()
	for !wanted(g.Snapshot()) {
		select {
		case <-changed:
		case <-timeout.C:
			t.Fatalf("%s: not within %v; there are %v, last error %v", what, within, ids(g), g.LastError())
		}
	}
}

func ids(g *Gossip) []topology.NodeID {
	var out []topology.NodeID
	for _, n := range g.Snapshot().Nodes() {
		out = append(out, n.ID)
	}
	return out
}

func has(want ...topology.NodeID) func(topology.Snapshot) bool {
	return func(s topology.Snapshot) bool {
		return s.Len() == len(want) && !slices.ContainsFunc(want, func(id topology.NodeID) bool {
			_, ok := s.Node(id)
			return !ok
		})
	}
}

// a, then b and c by one seed each: all learn of all, of changes, and of ends.
func TestThreeNodes(t *testing.T) {
	a := start(t, Config{Self: node("a")})
	b := start(t, Config{Self: node("b"), Seeds: []string{a.Addr()}})
	await(t, a, "a sees b", 5*time.Second, has("a", "b"))
	c := start(t, Config{Self: node("c"), Seeds: []string{b.Addr()}})
	for _, g := range []*Gossip{a, b, c} {
		await(t, g, "all see all", 5*time.Second, has("a", "b", "c"))
		if err := g.LastError(); err != nil {
			t.Error(err)
		}
	}
	if n, _ := a.Snapshot().Node("c"); n != node("c") {
		t.Errorf("c describes itself as %+v", n)
	}

	if err := c.Update(func(n *topology.Node) { n.State, n.Load, n.ID = topology.StateDraining, 0.5, "other" }); err != nil {
		t.Fatal(err)
	}
	for _, g := range []*Gossip{a, b, c} {
		await(t, g, "c's change is known", 5*time.Second, func(s topology.Snapshot) bool {
			n, ok := s.Node("c")
			return ok && n.State == topology.StateDraining && n.Load == 0.5
		})
	}
	err := c.Update(func(n *topology.Node) { n.Public = strings.Repeat("x", topology.MaxMeta) })
	if !errors.Is(err, topology.ErrMetaTooLarge) {
		t.Errorf("an update that is too large: %v", err)
	}

	// A crash: the sockets go, and nothing is said.
	crashed := time.Now()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	for _, g := range []*Gossip{a, b} {
		await(t, g, "c's crash is known", 5*time.Second, has("a", "b"))
	}
	t.Logf("a crash was known after %v", time.Since(crashed))

	before := a.Snapshot().Version
	if err := b.Leave(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	await(t, a, "b has left", time.Second, has("a"))
	if after := a.Snapshot().Version; after <= before {
		t.Errorf("the version went from %d to %d", before, after)
	}
	for _, err := range []error{b.Leave(time.Second), b.Update(func(*topology.Node) {})} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("after Leave: %v", err)
		}
	}
}

// A seed that isn't there yet, lost again, and back at the same address.
func TestSeedComesLateAndAgain(t *testing.T) {
	addr := freeAddr(t)
	failed := make(chan error, 10)
	joined := make(chan struct{}, 10)
	b := start(t, Config{Self: node("b"), Seeds: []string{addr}, Timing: quick, Events: Events{
		JoinFailed: func(err error) { failed <- err },
		Joined:     func() { joined <- struct{}{} },
	}})
	if err := <-failed; err == nil || !strings.Contains(err.Error(), addr) {
		t.Errorf("the failure was %v", err)
	}
	if b.LastError() == nil {
		t.Error("alone, and no error")
	}

	// A sibling, so that b isn't alone when the seed goes.
	c := start(t, Config{Self: node("c"), Seeds: []string{b.Addr()}, Timing: quick})
	await(t, b, "b sees c", 5*time.Second, has("b", "c"))
	for range 2 {
		a := start(t, Config{Self: node("a"), Bind: addr})
		await(t, a, "a was found", 5*time.Second, has("a", "b", "c"))
		await(t, c, "c sees a", 5*time.Second, has("a", "b", "c"))
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		await(t, b, "a is gone", 5*time.Second, has("b", "c"))
	}
	<-joined
	if n := len(failed); n > 0 {
		t.Errorf("%d more failures told, %v; want one per change", n, <-failed)
	}
}

// The only seed of two nodes says goodbye and comes back, as a core does that is
// restarted: it answers while it is leaving, which must not count as found.
func TestTheOnlySeedLeavesAndComesBack(t *testing.T) {
	addr := freeAddr(t)
	a := start(t, Config{Self: node("a"), Bind: addr})
	b := start(t, Config{Self: node("b"), Seeds: []string{addr}, Timing: quick})
	c := start(t, Config{Self: node("c"), Seeds: []string{addr}, Timing: quick})
	for range 3 {
		for _, g := range []*Gossip{b, c} {
			await(t, g, "all are there", 10*time.Second, has("a", "b", "c"))
		}
		if err := a.Leave(time.Second); err != nil {
			t.Fatal(err)
		}
		// It still answers here, as a node does that is shutting down.
		await(t, b, "a is gone for b", 5*time.Second, has("b", "c"))
		await(t, c, "a is gone for c", 5*time.Second, has("b", "c"))
		b.joiner.awaitRounds(t, 1)
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		a = start(t, Config{Self: node("a"), Bind: addr})
	}
}

func TestWrongKey(t *testing.T) {
	a := start(t, Config{Self: node("a")})
	failed := make(chan error, 100)
	var log lockedBuffer
	b := start(t, Config{
		Self: node("b"), Seeds: []string{a.Addr()}, Keys: fixedKeys{[]byte("another key 0123")}, Timing: quick,
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
		Events: Events{JoinFailed: func(err error) { failed <- err }},
	})
	err := <-failed
	want := "gossip: " + a.Addr() + " answered but not with our key: check --gossip-key on both"
	if err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if !errors.Is(err, ErrWrongKey) || !errors.Is(b.LastError(), ErrWrongKey) {
		t.Errorf("%v, last error %v: not ErrWrongKey", err, b.LastError())
	}
	// Another attempt must not be told again.
	b.joiner.awaitRounds(t, 3)
	if len(failed) > 0 {
		t.Errorf("told again: %v", <-failed)
	}
	if lines := strings.Count(log.String(), "\n"); lines != 1 {
		t.Errorf("%d lines logged, want 1:\n%s", lines, log.String())
	}
	if !has("a")(a.Snapshot()) || !has("b")(b.Snapshot()) {
		t.Errorf("%v and %v see each other", ids(a), ids(b))
	}
}

func TestNotGossip(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var server sync.WaitGroup
	defer server.Wait()
	defer func() { _ = ln.Close() }()
	server.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			_ = conn.Close()
		}
	})
	failed := make(chan error, 100)
	start(t, Config{Self: node("b"), Seeds: []string{ln.Addr().String()}, Events: Events{JoinFailed: func(err error) { failed <- err }}})
	if err := <-failed; !errors.Is(err, ErrNotGossip) {
		t.Errorf("%v is not ErrNotGossip", err)
	}
}

func TestAddrInUse(t *testing.T) {
	a := start(t, Config{Self: node("a")})
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = udp.Close() }()
	for name, addr := range map[string]string{"all": a.Addr(), "UDP alone": udp.LocalAddr().String()} {
		_, err := Start(t.Context(), Config{Self: node("b"), Bind: addr, Keys: testKeys})
		want := "gossip: " + addr + " is in use by another process: choose another --gossip-addr"
		if err == nil || err.Error() != want || !errors.Is(err, ErrAddrInUse) {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
}

func TestBadConfig(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		want   error
	}{
		"no keys":       {func(c *Config) { c.Keys = nil }, ErrBadConfig},
		"no key":        {func(c *Config) { c.Keys = fixedKeys{} }, ErrBadConfig},
		"short key":     {func(c *Config) { c.Keys = fixedKeys{testKeys[0], []byte("short")} }, ErrBadConfig},
		"cluster":       {func(c *Config) { c.Cluster = "a b" }, topology.ErrBadNode},
		"long cluster":  {func(c *Config) { c.Cluster = strings.Repeat("c", 65) }, ErrBadConfig},
		"fast probes":   {func(c *Config) { c.Timing.Probe = time.Millisecond }, ErrBadConfig},
		"slow probes":   {func(c *Config) { c.Timing.Probe = time.Minute }, ErrBadConfig},
		"no suspicion":  {func(c *Config) { c.Timing.SuspicionProbes = 1 }, ErrBadConfig},
		"no name":       {func(c *Config) { c.Self.ID = "" }, ErrBadConfig},
		"slash in name": {func(c *Config) { c.Self.ID = "a/b" }, topology.ErrBadNode},
		"no role":       {func(c *Config) { c.Self.Role = "" }, topology.ErrBadNode},
		"large":         {func(c *Config) { c.Self.Public = strings.Repeat("x", 600) }, topology.ErrMetaTooLarge},
		"no port":       {func(c *Config) { c.Bind = "127.0.0.1" }, ErrBadConfig},
		"bad port":      {func(c *Config) { c.Bind = "127.0.0.1:70000" }, ErrBadConfig},
		"advertise":     {func(c *Config) { c.Advertise = "nowhere" }, ErrBadConfig},
		"timing":        {func(c *Config) { c.Timing.Probe, c.Timing.Direct = time.Second, time.Second }, ErrBadConfig},
		"not ours":      {func(c *Config) { c.Bind = "192.0.2.1:0" }, nil},
	} {
		cfg := Config{Self: node("a"), Bind: "127.0.0.1:0", Keys: testKeys}
		c.change(&cfg)
		g, err := Start(t.Context(), cfg)
		if err == nil {
			t.Errorf("%s: started", name)
			_ = g.Close()
			continue
		}
		if c.want != nil && !errors.Is(err, c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %v in one line", name, err, c.want)
		}
	}
}

// A node that takes another's name is told so, as are the others, and gets it
// once the other is dead.
func TestSameName(t *testing.T) {
	conflicts := make(chan string, 10)
	heard := Events{Conflict: func(id topology.NodeID, known, other string) {
		conflicts <- fmt.Sprintf("%s: %s, %s", id, known, other)
	}}
	a := start(t, Config{Self: node("a"), Events: heard})
	b := start(t, Config{Self: node("b"), Seeds: []string{a.Addr()}})
	await(t, a, "a sees b", 5*time.Second, has("a", "b"))

	other := start(t, Config{Self: node("b"), Seeds: []string{a.Addr()}, Timing: quick})
	if got, want := <-conflicts, fmt.Sprintf("b: %s, %s", b.Addr(), other.Addr()); got != want {
		t.Errorf("a heard of %s, want %s", got, want)
	}
	other.joiner.awaitRounds(t, 2)
	if err := other.LastError(); !errors.Is(err, ErrNameTaken) || !strings.Contains(err.Error(), b.Addr()) {
		t.Errorf("the second b's error: %v", err)
	}
	if len(conflicts) > 0 {
		t.Errorf("a told again: %s", <-conflicts)
	}

	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	changed, stop := a.Watch()
	defer stop()
	timeout := time.NewTimer(10 * time.Second)
	defer timeout.Stop()
	for a.members.addrOf("b") != other.Addr() {
		select {
		case <-changed:
		case <-timeout.C:
			t.Fatalf("b is still at %q, not at %s", a.members.addrOf("b"), other.Addr())
		}
	}
}

func TestStartDoesNotWait(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	// Seeds: one that never answers, a name that doesn't exist.
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	g, err := Start(ctx, Config{Self: node("a"), Bind: "localhost:0", Keys: testKeys, Seeds: []string{silent.Addr().String(), "nobody.invalid:7402"}})
	if err != nil {
		t.Fatal(err)
	}
	cancel() // it bounds Start alone
	if !strings.HasPrefix(g.Addr(), "127.0.0.1:") || !has("a")(g.Snapshot()) {
		t.Errorf("at %s with %v", g.Addr(), ids(g))
	}
	conn, err := silent.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Read(make([]byte, 1)); err != nil { // the join has begun
		t.Fatal(err)
	}
	began := time.Now()
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("Close took %v: it waited for a seed", took)
	}
	if err := g.Close(); err != nil {
		t.Errorf("Close again: %v", err)
	}
	if err := g.Leave(time.Second); !errors.Is(err, ErrClosed) {
		t.Errorf("Leave after Close: %v", err)
	}
}

func TestAdvertise(t *testing.T) {
	g := start(t, Config{Self: node("a"), Bind: "127.0.0.1:0", Advertise: "198.51.100.7:0"})
	host, port, err := net.SplitHostPort(g.Addr())
	if err != nil || host != "198.51.100.7" || port == "0" {
		t.Errorf("advertises %s, %v", g.Addr(), err)
	}
}

func (m *members) addrOf(id topology.NodeID) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.nodes[id].addr.String()
}

// awaitRounds waits for n more attempts.
func (j *joiner) awaitRounds(t *testing.T, n int) {
	t.Helper()
	count := func() int {
		j.mu.Lock()
		defer j.mu.Unlock()
		return j.rounds
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(10 * time.Second)
	for want := count() + n; count() < want; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("no %d attempts to join within 10 s", n)
		}
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	return ln.Addr().String()
}

func textLog(b *lockedBuffer) *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
