package geo

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/cryptotest"
	"time"

	"selvedge/simulations/netsim"
)

// The real code, twice with one seed, over a network that draws nothing: all packets between clients and
// edges, and between publishers and the core, are sent and arrive at the same nanosecond, one by one. What
// gossip says, and how large a node's status is, differ, as do the ports that nodes dial from, and the size of
// a welcome, which names the edges that gossip has told of.
//
// Fixed are the dice of crypto/rand, which no ordinary program can fix. Not fixed, in no program, are
// math/rand's, the order of maps and selects, and of goroutines that have something to do at the same instant.
// With jitter and loss such an order decides which of two packets draws what, and times of two runs differ by
// parts of a millisecond.
func TestClientsSeeTheSameTwice(t *testing.T) {
	first, second := socketsOf(t, 1), socketsOf(t, 2)
	packets := 0
	for name, trace := range first {
		packets += len(trace)
		if again := second[name]; !slices.Equal(trace, again) {
			t.Errorf("%s: %d packets, and then %d; they differ from number %d on:%s", name, len(trace), len(again), common(trace, again), difference(trace, again))
		}
	}
	if len(first) < 35 || len(second) != len(first) || packets < 1500 {
		t.Errorf("only %d packets on %d ways between hosts, and then %d ways", packets, len(first), len(second))
	}
}

// socketsOf plays a world, and returns the packets from and to sockets of clients, publishers and the
// backend, by who sends to whom.
func socketsOf(t *testing.T, run int) map[string][]netsim.Packet {
	out := map[string][]netsim.Packet{}
	t.Run(fmt.Sprintf("run %d", run), func(t *testing.T) {
		cryptotest.SetGlobalRandom(t, 1)
		s := small()
		s.For, s.PublishesPerMinute = 8*time.Second, 120
		a, err := newAtlas(&s)
		if err != nil {
			t.Fatal(err)
		}
		p := newPlan(still, &s, a, 7, 1)
		p.jitter, p.loss, p.settle, p.idle = 0, 0, time.Second, time.Second
		p.watch = func(q netsim.Packet) {
			if q.Proto != "tcp" || q.From.Port() != httpPort && q.To.Port() != httpPort {
				return
			}
			q.From, q.To, q.Size = portless(q.From), portless(q.To), 0
			name := fmt.Sprintf("%v to %v", q.From, q.To)
			out[name] = append(out[name], q)
		}
		if _, err := p.play(t.Context(), t); err != nil {
			t.Fatal(err)
		}
	})
	return out
}

// portless is an address without a port that was free by chance.
func portless(a netip.AddrPort) netip.AddrPort {
	if a.Port() > 1<<15-1 {
		return netip.AddrPortFrom(a.Addr(), 0)
	}
	return a
}

func difference(a, b []netsim.Packet) string {
	at := common(a, b)
	if at == min(len(a), len(b)) {
		return " one is longer"
	}
	return fmt.Sprintf("\n%+v\n%+v", a[at], b[at])
}

// common is how many packets two traces begin with alike.
func common(a, b []netsim.Packet) (n int) {
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}
