package link_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"selvedge/wire"
	"selvedge/wire/link"
)

func signal(ch wire.Channel, size int) *wire.Signal {
	return &wire.Signal{T: "signal", Ch: ch, From: "u1", Data: append(wire.Data{0xda, byte(size >> 8), byte(size)}, slices.Repeat([]byte{'x'}, size)...)}
}

func TestSignalsReachThoseWithInterestButTheSender(t *testing.T) {
	src := memory()
	s := serve(t, src, udp(t))
	chs := channels(0, 2)
	a, b, c := dial(t, s, "a"), dial(t, s, "b"), dial(t, s, "c")
	for d, ch := range map[*downstream]wire.Channel{a: chs[0], b: chs[0], c: chs[1]} {
		d.open(0, 0)
		d.change(0, 1, keysOf(ch), nil, link.Live)
	}
	// Datagrams may get lost, even on loopback: ask until one arrives.
	eventually(t, "b got the signal", func() bool {
		if err := s.Signal("a", signal(chs[0], 10), 0); err != nil {
			t.Fatal(err)
		}
		return len(b.signals) > 0
	})
	if diff := cmp.Diff(signal(chs[0], 10), <-b.signals); diff != "" {
		t.Errorf("(-sent +got):\n%s", diff)
	}
	eventually(t, "c got its own", func() bool {
		if err := s.Signal("a", signal(chs[1], 10), 0); err != nil {
			t.Fatal(err)
		}
		return len(c.signals) > 0
	})
	if got := <-c.signals; got.Ch != chs[1] {
		t.Errorf("c got a signal of %s", got.Ch)
	}
	if len(a.signals) > 0 {
		t.Error("a signal came back to its sender")
	}
	// One that takes the log elsewhere has its signals from there.
	d := dial(t, s, "d")
	d.open(1, 0)
	for len(b.signals) > 0 {
		<-b.signals
	}
	eventually(t, "b got another signal", func() bool {
		if err := s.Signal("a", signal(chs[0], 10), 0); err != nil {
			t.Fatal(err)
		}
		return len(b.signals) > 0
	})
	if len(d.signals) > 0 {
		t.Error("a signal came to one that takes its log elsewhere")
	}
}

func TestSignalsUpstream(t *testing.T) {
	src := memory()
	d := dial(t, serve(t, src, udp(t)), "a")
	eventually(t, "the signal arrived", func() bool {
		if err := d.Link.Signal(signal("room:r", 900)); err != nil {
			t.Fatal(err)
		}
		return len(src.Signals()) > 0
	})
	if diff := cmp.Diff(*signal("room:r", 900), src.Signals()[0]); diff != "" {
		t.Errorf("(-sent +got):\n%s", diff)
	}
	if err := d.Link.Signal(signal("room:r", 1024)); !errors.Is(err, wire.ErrTooLarge) {
		t.Errorf("a large signal: %v, want %v", err, wire.ErrTooLarge)
	}
}

func TestPeersSayHowTheyAre(t *testing.T) {
	src := memory()
	s := serve(t, src, udp(t))
	status := link.Status{Sockets: 3, Delivered: 9, DelayMillis: 1.5}
	d, err := dialer{pc: udp(t), name: "b", status: func() link.Status { return status }}.dial(t, s.addr)
	if err != nil {
		t.Fatal(err)
	}
	dial(t, s, "a")
	d.open(0, 0, 1, 2, 3)
	d.change(0, 1, []wire.Key{4}, []wire.Key{1, 9}, link.Live)
	var peers []link.PeerInfo
	eventually(t, "the status arrived", func() bool {
		peers = s.Peers()
		return len(peers) == 2 && peers[1].Status.Sockets > 0 && peers[0].RTT > 0 && peers[1].RTT > 0
	})
	want := []link.PeerInfo{{Node: "a", Region: "r-a"}, {Node: "b", Region: "r-b", Logs: 1, Open: []wire.LogID{0}, Interests: 3, Status: status}}
	if diff := cmp.Diff(want, peers, cmpopts.IgnoreFields(link.PeerInfo{}, "RTT")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	eventually(t, "the round trip is known", func() bool { return d.RTT() > 0 })
}
