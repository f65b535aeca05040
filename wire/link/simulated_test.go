package link_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quic-go/quic-go"

	"selvedge/wire"
	"selvedge/wire/link"
	"selvedge/wire/link/linktest"
	"selvedge/wire/tail"
)

// A peer that vanishes without a word is given up in seconds, by both sides.
func TestVanishedPeerIsNoticedInSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cut atomic.Bool
		n := linktest.NewNetwork(func(string, string) (time.Duration, bool) { return 40 * time.Millisecond, !cut.Load() })
		s := serve(t, memory(), n.Port("core"))
		d, err := dialer{pc: n.Port("e"), name: "e"}.dial(t, s.addr)
		if err != nil {
			t.Fatal(err)
		}
		d.open(0, 0)
		time.Sleep(time.Minute) // an idle link lives
		if len(s.Peers()) != 1 {
			t.Fatal("an idle link has ended")
		}
		cut.Store(true)
		began := time.Now()
		for who, err := range map[string]error{"downstream": d.wait(), "server": receive(t, "the server's word", s.down)} {
			if _, ok := errors.AsType[*quic.IdleTimeoutError](err); !ok {
				t.Errorf("the %s reports %v", who, err)
			}
		}
		if took := time.Since(began); took > 6*time.Second {
			t.Errorf("noticed after %v", took)
		}
	})
}

// Round trip and clock offset are computed as in NTP: ways of 10 ms there and
// 30 ms back look like a clock that is 10 ms behind.
func TestRoundTripAndClockOffset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := linktest.NewNetwork(func(from, _ string) (time.Duration, bool) {
			if from == "core" {
				return 30 * time.Millisecond, true
			}
			return 10 * time.Millisecond, true
		})
		d, err := dialer{pc: n.Port("e"), name: "e"}.dial(t, serve(t, memory(), n.Port("core")).addr)
		if err != nil {
			t.Fatal(err)
		}
		if d.RTT() != 0 || d.ClockOffset() != 0 {
			t.Errorf("before the first pong: %v, %v", d.RTT(), d.ClockOffset())
		}
		time.Sleep(3 * time.Second)
		within := func(what string, got, want time.Duration) {
			if got < want-2*time.Millisecond || got > want+2*time.Millisecond {
				t.Errorf("%s %v, want about %v", what, got, want)
			}
		}
		within("round trip", d.RTT(), 40*time.Millisecond)
		within("clock offset", d.ClockOffset(), -10*time.Millisecond)
	})
}

// The quickest ping of the last is believed, not the latest.
func TestJitterDoesNotMoveTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var slow atomic.Bool
		n := linktest.NewNetwork(func(from, _ string) (time.Duration, bool) {
			if slow.Load() && from == "core" {
				return 200 * time.Millisecond, true
			}
			return 10 * time.Millisecond, true
		})
		d, err := dialer{pc: n.Port("e"), name: "e"}.dial(t, serve(t, memory(), n.Port("core")).addr)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2500 * time.Millisecond)
		slow.Store(true)
		time.Sleep(3 * time.Second)
		if got := d.ClockOffset().Abs(); got > 2*time.Millisecond {
			t.Errorf("clock offset %v", got)
		}
		time.Sleep(20 * time.Second) // but for ever it is not
		if got := d.RTT(); got < 200*time.Millisecond {
			t.Errorf("round trip %v, though it has been 210 ms for long", got)
		}
	})
}

// A link that takes nothing holds up neither who signals nor the others.
func TestSignalsNeverBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cut atomic.Bool
		n := linktest.NewNetwork(func(from, to string) (time.Duration, bool) {
			return 10 * time.Millisecond, !cut.Load() || from != "bad" && to != "bad"
		})
		s := serve(t, memory(), n.Port("core"))
		ch := channels(0, 1)[0]
		links := map[string]*downstream{}
		for _, name := range []string{"bad", "good"} {
			d, err := dialer{pc: n.Port(name), name: name}.dial(t, s.addr)
			if err != nil {
				t.Fatal(err)
			}
			d.open(0, 0)
			d.change(0, 1, keysOf(ch), nil, link.Live)
			links[name] = d
		}
		cut.Store(true)
		began := time.Now()
		for range 100 {
			for range 10 {
				if err := errors.Join(s.Signal("", signal(ch, 900), 0), links["bad"].Link.Signal(signal(ch, 900))); err != nil {
					t.Fatal(err)
				}
			}
			if took := time.Since(began); took > 2*time.Second {
				t.Fatalf("signalling took %v", took)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if got := len(links["good"].signals); got < 500 {
			t.Errorf("the good link got %d of 1000 signals", got)
		}
	})
}

// A lost packet of one log stalls no other, and nothing is lost or doubled.
func TestLossyNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent atomic.Int64
		n := linktest.NewNetwork(func(string, string) (time.Duration, bool) {
			return 75 * time.Millisecond, sent.Add(1)%11 != 0
		})
		src := memory()
		d, err := dialer{pc: n.Port("e"), name: "e"}.dial(t, serve(t, src, n.Port("core")).addr)
		if err != nil {
			t.Fatal(err)
		}
		for p := range wire.LogID(2) {
			ch := channels(p, 1)[0]
			d.open(p, 0, keysOf(ch)...)
			for range 300 {
				src.Publish(ch, 700)
			}
		}
		want := make([]wire.Seq, 300)
		for i := range want {
			want[i] = wire.Seq(i + 1)
		}
		for p := range wire.LogID(2) {
			if got := d.seqs(p, 300); !slices.Equal(got, want) {
				t.Errorf("log %d brought %v", p, got)
			}
		}
	})
}

// A source that fails for a while is asked again.
func TestReadThatFailsIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &failing{Source: memory(), tail: tail.New(1, 5)}
		src.left.Store(3)
		d, err := dialer{pc: newPair(t, src), name: "e"}.dial(t, linktest.Addr("core"))
		if err != nil {
			t.Fatal(err)
		}
		d.open(0, 2, 1)
		if m, _ := d.change(0, 1, nil, nil, link.Live); m.Seq != 2 && m.Seq != 5 {
			t.Errorf("marker at %d", m.Seq)
		}
		eventually(t, "the source was asked enough", func() bool { return src.left.Load() < 0 })
		if m, _ := d.change(0, 2, nil, nil, link.Live); m.Seq != 5 {
			t.Errorf("then live from %d, want 5", m.Seq)
		}
	})
}

func newPair(t *testing.T, src link.Source) *linktest.Port {
	n := linktest.NewNetwork(linktest.Instant)
	serve(t, src, n.Port("core"))
	return n.Port("e")
}

// failing fails to read some times, and then has nothing more up to 5.
type failing struct {
	link.Source
	tail *tail.Tail
	left atomic.Int64
}

func (f *failing) Tail(p wire.LogID) *tail.Tail {
	if p == 0 {
		return f.tail
	}
	return f.Source.Tail(p)
}

func (f *failing) Read(context.Context, wire.LogID, wire.Seq, func([2]wire.Key) bool) ([]tail.Record, wire.Seq, wire.Seq, error) {
	if f.left.Add(-1) >= 0 {
		return nil, 0, 0, errors.New("the disk is away")
	}
	return nil, 5, 0, nil
}
