package upstream

import (
	"errors"
	"slices"
	"testing"
	"time"

	"selvedge/wire"
)

func TestATargetThatCantBeDialledIsPassedOver(t *testing.T) {
	c, s := newCore(t), newSink()
	u, _ := start(t, s, func() []Target { return []Target{{Node: "no", Addr: "nonsense"}, {Node: "core-1", Addr: c.addr}} })
	until(t, "a link", func() bool { node, _, _, ok := u.Status(); return ok && node == "core-1" })
}

// A link that is refused, or ends at once, is no success: the pause grows.
func TestThePauseGrowsWhenLinksEndAtOnce(t *testing.T) {
	c, s := newCore(t), newSink()
	s.refuse = errors.New("another number of logs")
	start(t, s, only1(c))
	tries := func() int { return get(s, func(s *sink) int { return len(s.epochs) }) }
	until(t, "a try", func() bool { return tries() > 0 })
	began := time.Now()
	until(t, "five tries", func() bool { return tries() >= 5 })
	// Without growth four pauses take at most 400 ms; with it, at least half of
	// 100 + 200 + 400 + 800.
	if took := time.Since(began); took < 700*time.Millisecond {
		t.Errorf("five tries took %v: they don't slow down", took)
	}
}

// A link goes on where the sink stands; in another epoch it starts where the
// sink says.
func TestALinkOpensTheLogsWhereTheSinkStands(t *testing.T) {
	c, s := newCore(t), newSink()
	ch := wire.Channel("room:x")
	p := wire.LogOf(ch, logs)
	c.frame(ch, 3) // before the edge's time
	u, _ := start(t, s, only1(c))
	u.Want(p, Want{Key: wire.FramesKey(ch), Since: 3, Token: "x"})
	until(t, "live", func() bool { return s.lives("x") == 1 })
	if m := get(s, func(s *sink) []wire.Key { return s.marks["x"].Moved }); len(m) != 0 {
		t.Errorf("moved %v, want nothing since 3", m)
	}
	c.srv.Reset("cut")
	c.frame(ch, 4) // while there is no link, or before it is noticed
	c.frame(ch, 5)
	until(t, "another link", func() bool { return s.links() == 2 })
	until(t, "both frames", func() bool { return get(s, func(s *sink) int { return len(s.frames) }) >= 2 })

	c.tails[p].Reset(100)
	c.renew()
	until(t, "the new epoch", func() bool { return s.links() == 3 })
	c.frame(ch, 101)
	until(t, "its frame", func() bool {
		return get(s, func(s *sink) bool {
			return slices.Equal(s.epochs, []string{"e1", "e2"}) && s.frames[len(s.frames)-1] == "room:x 101"
		})
	})
}

func TestSignalsTravelBothWays(t *testing.T) {
	c, s := newCore(t), newSink()
	u, _ := start(t, s, only1(c))
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
