package upstream

import (
	"testing"
	"time"

	"selvedge/wire"
	"selvedge/wire/link"
)

// What is read while the sink has yet to take what a watermark speaks of is older
// than the watermark.
func TestAWatermarkCountsWhenWhatItSpeaksOfIsTaken(t *testing.T) {
	c, s := newCore(t), newSink()
	ch := wire.Channel("room:x")
	p := wire.LogOf(ch, logs)
	u, _ := start(t, s, only1(c))
	u.Want(p, Want{Key: wire.FramesKey(ch), Token: "x"})
	until(t, "live", func() bool { return s.lives("x") == 1 })
	stuck := &hold{logs: func(l wire.LogID) bool { return l == p }, until: make(chan struct{})}
	s.stuck.Store(stuck)
	c.tails[p].Append(frameOf(ch, 1), link.StampWatermark(1, 0, time.Now()))
	until(t, "the frame is with the sink", func() bool { return get(s, func(s *sink) bool { return s.busy[p] }) })
	if at := u.Fresh(p); !at.IsZero() {
		t.Error("fresh, and the frame is not taken")
	}
	s.stuck.Store(nil)
	close(stuck.until)
	until(t, "the watermark counts", func() bool { return !u.Fresh(p).IsZero() })
	if n := get(s, func(s *sink) int { return len(s.frames) }); n != 1 {
		t.Errorf("%d frames were taken", n)
	}
}
