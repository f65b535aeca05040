package upstream

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/wire"
)

func TestTheBestTargetIsTakenAndTheNextWhenItDies(t *testing.T) {
	best, other, s := newCore(t), newCore(t), newSink()
	var dead atomic.Bool
	u, changed := start(t, s, func() []Target {
		all := []Target{{Node: "best", Addr: best.addr}, {Node: "other", Addr: other.addr}}
		if dead.Load() {
			return all[1:] // gossip knows
		}
		return all
	})
	to := func() string { node, _, _, _ := u.Status(); return node }
	until(t, "a link to the best", func() bool { return to() == "best" })
	dead.Store(true)
	best.stop()
	changed <- struct{}{}
	until(t, "a link to the other", func() bool { return to() == "other" })
	if n := get(s, func(s *sink) int { return s.cuts }); n != 1 {
		t.Errorf("the sink was told of %d lost links, want 1", n)
	}
}

func TestATargetThatCantBeDialledIsPassedOver(t *testing.T) {
	c, s := newCore(t), newSink()
	u, _ := start(t, s, func() []Target { return []Target{{Node: "no", Addr: "nonsense"}, {Node: "core-1", Addr: c.addr}} })
	until(t, "a link", func() bool { node, _, _, ok := u.Status(); return ok && node == "core-1" })
}

// A link that is refused, or ends at once, is no success: the pause grows.
func TestThePauseGrowsWhenLinksEndAtOnce(t *testing.T) {
	c, s := newCore(t), newSink()
	s.refuse = errors.New("another number of logs")
	start(t, s, only(c))
	until(t, "a try", func() bool { return s.links() > 0 })
	began := time.Now()
	until(t, "five tries", func() bool { return s.links() >= 5 })
	// Without growth four pauses take at most 400 ms; with it, at least half of
	// 100 + 200 + 400 + 800.
	if took := time.Since(began); took < 700*time.Millisecond {
		t.Errorf("five tries took %v: they don't slow down", took)
	}
}

func TestNobodyToLinkToIsTriedAgainWhenThatChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var tries []time.Time
		changed := make(chan struct{})
		u := New(Config{Sink: newSink(), Logger: discard(), TargetsChanged: changed, Targets: func() []Target {
			mu.Lock()
			defer mu.Unlock()
			tries = append(tries, time.Now())
			return nil
		}})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- u.Run(ctx) }()
		time.Sleep(time.Minute)
		mu.Lock()
		n := len(tries)
		for i := 8; i < n; i++ {
			if d := tries[i].Sub(tries[i-1]); d < maxBackoff/2 || d > maxBackoff {
				t.Errorf("pause %d was %v, want %v to %v", i, d, maxBackoff/2, maxBackoff)
			}
		}
		mu.Unlock()
		changed <- struct{}{}
		synctest.Wait()
		mu.Lock()
		if len(tries) != n+1 {
			t.Error("a change of the targets was not tried at once")
		}
		mu.Unlock()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// A link goes on where the sink stands; in another epoch it starts where the
// sink says.
func TestALinkOpensTheLogsWhereTheSinkStands(t *testing.T) {
	c, s := newCore(t), newSink()
	ch := wire.Channel("room:x")
	p := wire.LogOf(ch, logs)
	c.frame(ch, 3) // before the edge's time
	u, _ := start(t, s, only(c))
	u.Want(p, Want{Key: wire.FramesKey(ch), Since: 3, Token: "x"})
	until(t, "live", func() bool { return s.lives("x") == 1 })
	if m := get(s, func(s *sink) []wire.Key { return s.marks["x"].Moved }); len(m) != 0 {
		t.Errorf("moved %v, want nothing since 3", m)
	}
	s.mu.Lock()
	s.pos[p] = 3
	s.mu.Unlock()
	c.mu.Lock()
	c.epoch = "e1"
	c.mu.Unlock()
	c.srv.Reset("cut")
	c.frame(ch, 4) // while there is no link, or before it is noticed
	c.frame(ch, 5)
	until(t, "another link", func() bool { return s.links() == 2 })
	until(t, "both frames", func() bool { return get(s, func(s *sink) int { return len(s.frames) }) >= 2 })

	c.mu.Lock()
	c.epoch = "e2"
	c.mu.Unlock()
	c.tails[p].Reset(100)
	c.srv.Reset("epoch")
	until(t, "the new epoch", func() bool { return s.links() == 3 })
	c.frame(ch, 101)
	until(t, "its frame", func() bool {
		return get(s, func(s *sink) bool { return s.linked[2] == "e2" && s.frames[len(s.frames)-1] == "room:x 101" })
	})
}

func TestSignalsTravelBothWays(t *testing.T) {
	c, s := newCore(t), newSink()
	u, _ := start(t, s, only(c))
	ch := wire.Channel("room:x")
	sig := &wire.Signal{T: wire.TSignal, Ch: ch, Data: wire.Data{0x01}}
	u.Want(wire.LogOf(ch, logs), Want{Key: wire.FramesKey(ch), Token: "x"})
	until(t, "live", func() bool { return s.lives("x") == 1 })
	until(t, "a signal down", func() bool {
		if err := c.srv.Signal("another", sig, wire.LogOf(ch, logs)); err != nil {
			t.Fatal(err)
		}
		return get(s, func(s *sink) int { return s.sigs }) > 0
	})
	until(t, "a signal up", func() bool {
		if err := u.Signal(sig); err != nil {
			t.Fatal(err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.signals) > 0
	})
	if err := New(Config{}).Signal(sig); !errors.Is(err, ErrUnavailable) {
		t.Errorf("without a link: %v, want ErrUnavailable", err)
	}
}
