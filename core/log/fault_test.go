package log_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"selvedge/internal/identity"
	"selvedge/wire"

	corelog "selvedge/core/log"
)

// peersEnv tells a child where the other cores are.
const peersEnv = "SELVEDGE_LOG_TEST_PEERS"

// fixed are peers that don't change.
type fixed []corelog.Peer

func (f fixed) Announce(corelog.Peer) error      { return nil }
func (f fixed) Peers() []corelog.Peer            { return f }
func (f fixed) Watch() (<-chan struct{}, func()) { return nil, func() {} }

// childMember is core c, until it is killed.
func childMember(ctx context.Context, dir string) error {
	id, err := identity.DevNode(identity.RoleCore, "c")
	if err != nil {
		return err
	}
	var peers fixed
	for peer := range strings.SplitSeq(os.Getenv(peersEnv), ",") {
		name, addr, _ := strings.Cut(peer, "=")
		peers = append(peers, corelog.Peer{Name: name, Addr: addr, Ready: true})
	}
	if _, err := corelog.Open(ctx, corelog.Config{
		Dir: dir, BootID: func() string { return "one" }, Replicas: 3,
		Cluster: &corelog.Cluster{Name: "c", Addr: "127.0.0.1:0", Identity: id, Peers: peers},
	}); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(os.Stdout, "open")
	select {}
}

// startChild runs core c in a process of its own, and returns what kills it.
func (c *trio) startChild(t *testing.T) (kill func()) {
	t.Helper()
	cmd := command(t, "member", c.dirs["c"])
	peers := fmt.Sprintf("a=%s,b=%s", c.town.addr("a"), c.town.addr("b"))
	cmd.Env = append(cmd.Env, peersEnv+"="+peers)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "open" {
		t.Fatalf("the child says %q", lines.Text())
	}
	return func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait() // it was killed
	}
}

// The leader of everything is killed with -9 while the other two publish.
func TestAKilledLeaderLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	c := newTrio(t)
	c.start(c.names...)
	c.settle()
	c.stop(c.names...)
	c.start("a", "b")
	kill := c.startChild(t)
	stores := []*corelog.Store{c.stores["a"], c.stores["b"]}
	logs := []wire.LogID{0, 1, wire.StateLog}
	for _, p := range logs {
		eventually(t, "core c leads", func() bool {
			if stores[0].Leader(t.Context(), p) == "c" {
				return true
			}
			_ = stores[0].Lead(t.Context(), p, "c") // until c has caught up
			return false
		})
	}
	got := []<-chan corelog.Stored{follow(t, stores[0], 0, 0), follow(t, stores[1], 0, 0)}

	const channels, before, count = 4, 20, 40
	var killed atomic.Int64 // when, in Unix nanoseconds
	var longest atomic.Int64
	half, all := sync.WaitGroup{}, sync.WaitGroup{}
	acked := make([][count]wire.Seq, channels)
	for n := range channels {
		half.Add(1)
		all.Go(func() {
			ch := wire.Channel(fmt.Sprint("room:", n))
			for i := range count {
				p := post(ch, fmt.Sprint(i))
				p.MsgID = fmt.Sprint(i)
				for {
					placed, err := stores[n%2].Publish(t.Context(), "key", p)
					if err == nil {
						acked[n][i] = placed.Seq
						break
					}
					if !errors.Is(err, corelog.ErrUnavailable) {
						t.Errorf("publish: %v", err)
						return
					}
				}
				switch {
				case i == before:
					half.Done()
				case i == before+1 && killed.Load() > 0:
					raiseTo(&longest, time.Now().UnixNano()-killed.Load())
				}
			}
		})
	}
	half.Wait()
	killed.Store(time.Now().UnixNano())
	kill()
	all.Wait()
	t.Logf("publishes went on %v after the kill", time.Duration(longest.Load()))

	in := make(map[wire.LogID]wire.Seq)
	for n := range channels {
		ch := wire.Channel(fmt.Sprint("room:", n))
		for i, s := range stores {
			var frames []corelog.Stored
			var more bool
			var err error
			eventually(t, "the channel is read", func() bool {
				frames, more, err = s.ReadChannel(t.Context(), ch, 0, 0, 1000, 1<<20)
				return !errors.Is(err, corelog.ErrUnavailable)
			})
			if err != nil || more || len(frames) != count {
				t.Fatalf("core %d has %d frames of %s, more %v, %v", i, len(frames), ch, more, err)
			}
			for k, f := range frames {
				if got := text(t, f.Body); got != fmt.Sprint(k) || f.Seq != acked[n][k] {
					t.Fatalf("core %d, %s: frame %s at %d, want %d at %d", i, ch, got, f.Seq, k, acked[n][k])
				}
			}
		}
		in[wire.LogOf(ch, 2)] += count
	}
	for i := range stores {
		for want := wire.Seq(1); want <= in[0]; want++ {
			if st := receive(t, got[i]); st.Seq != want {
				t.Fatalf("core %d followed %d, want %d", i, st.Seq, want)
			}
		}
	}
	// The killed one comes back, and has it all.
	c.start("c")
	if now := c.stores["c"].Epoch(); now != stores[0].Epoch() {
		t.Errorf("core c has the epoch %s, a has %s", now, stores[0].Epoch())
	}
	if end := c.stores["c"].End(0); end != in[0] {
		t.Errorf("core c: the end is %d, want %d", end, in[0])
	}
}

func raiseTo(a *atomic.Int64, to int64) {
	for was := a.Load(); was < to && !a.CompareAndSwap(was, to); was = a.Load() {
	}
}

// What may have cost acknowledged records changes the epoch, once and for all
// three; what the others make up for does not. The rule is in shared.go.
func TestEpochOfThreeCores(t *testing.T) {
	t.Parallel()
	c := newTrio(t)
	c.start(c.names...)
	c.settle()
	epoch := c.stores["a"].Epoch()
	for range 3 {
		publish(t, c.stores["a"], post("room:a", "x"))
	}
	powerLoss := func(boot string, names ...string) {
		for _, name := range names {
			edit(t, c.dirs[name], func(m map[string]any) { m["clean"] = false })
			c.boots[name] = boot
		}
	}
	for _, test := range []struct {
		name    string
		stopped []string
		fault   func()
		changes bool
	}{
		{"a new folder, the others are open", []string{"a"}, func() { c.dirs["a"] = t.TempDir() }, false},
		{"power loss of one, the others are open", []string{"b"}, func() { powerLoss("two", "b") }, false},
		{"all stopped in order, power loss of one", c.names, func() { powerLoss("two", "a") }, false},
		{"power loss of two", []string{"a", "b"}, func() { powerLoss("three", "a", "b") }, true},
	} {
		c.stop(test.stopped...)
		test.fault()
		c.start(test.stopped...)
		if test.changes {
			c.restartLost(epoch)
		}
		now := c.stores["a"].Epoch()
		for _, name := range c.names {
			if e := c.stores[name].Epoch(); e != now {
				t.Errorf("%s: core %s has the epoch %s, core a %s", test.name, name, e, now)
			}
			var frames []corelog.Stored
			var err error
			eventually(t, "core "+name+" can read", func() bool { // the others may still be electing
				frames, _, err = c.stores[name].ReadChannel(t.Context(), "room:a", 0, 0, 10, 1<<20)
				return !errors.Is(err, corelog.ErrUnavailable)
			})
			if err != nil || len(frames) != 3 {
				t.Errorf("%s: core %s has %d frames, %v", test.name, name, len(frames), err)
			}
		}
		if changed := now != epoch; changed != test.changes {
			t.Errorf("%s: the epoch changed: %v", test.name, changed)
		}
		c.settle()
		epoch = now
	}
	// A log that ends before it was seen: core c's copy has more than the others'.
	c.stop("c")
	edit(t, c.dirs["c"], func(m map[string]any) { m["shown"].(map[string]any)["0"] = 99 })
	c.refused("c")
}

// restartLost waits until the cores that still have an old epoch say that it has
// changed, and starts them again.
func (c *trio) restartLost(old string) {
	c.t.Helper()
	for _, name := range c.names {
		if c.stores[name].Epoch() != old {
			continue
		}
		err := c.stores[name].Follow(c.t.Context(), 0, 0, func([]corelog.Stored) error { return nil })
		if !errors.Is(err, corelog.ErrTailLost) {
			c.t.Fatalf("core %s follows until %v", name, err)
		}
		c.stop(name)
		c.start(name)
	}
}

func TestClusterRefuses(t *testing.T) {
	t.Parallel()
	single := config(t.TempDir())
	s, err := corelog.Open(t.Context(), single)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	c := newTrio(t)
	three := c.config("a")
	three.Dir = single.Dir
	member := t.TempDir()
	if err := os.WriteFile(filepath.Join(member, "cluster.json"), []byte(`{"self":"x","others":{"y":"127.0.0.1:1","z":"127.0.0.1:2"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	renamed := c.config("a")
	renamed.Dir = member
	crowd := c.config("b")
	crowd.Cluster.Peers = fixed{{Name: "x", Addr: "127.0.0.1:1"}, {Name: "y", Addr: "127.0.0.1:2"}, {Name: "z", Addr: "127.0.0.1:3"}}
	for name, test := range map[string]struct {
		cfg  corelog.Config
		says []string
	}{
		"a single core's folder": {three, []string{single.Dir, "--replicas 1", "--replicas 3", "restore a backup"}},
		"a member's folder":      {config(member), []string{member, "--replicas 1", "--replicas 3", "restore a backup"}},
		"another core's folder":  {renamed, []string{member, `"x"`, `"a"`}},
		"more than three cores":  {crowd, []string{"x", "y", "z", "three"}},
		"an unknown number":      {corelog.Config{Dir: t.TempDir(), Replicas: 2}, []string{"replicas is 2", "1 or 3"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := corelog.Open(t.Context(), test.cfg)
			if err == nil {
				t.Fatal("it opens", s.Close())
			}
			for _, part := range test.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q lacks %q", err, part)
				}
			}
		})
	}
}
