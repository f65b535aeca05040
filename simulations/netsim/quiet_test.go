package netsim_test

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"selvedge/simulations/netsim"
)

func TestWay(t *testing.T) {
	bubble(t, netsim.Path{Delay: 10 * time.Millisecond}, func(t *testing.T, n *netsim.Network) {
		check := func(when string, from, to netsim.Host, want bool, takes time.Duration) {
			t.Helper()
			if got, open := n.Way(from, to); open != want || got != takes {
				t.Errorf("%s: the way from %d to %d is open: %v, and takes %v", when, from, to, open, got)
			}
		}
		check("at first", 1, 2, true, 10*time.Millisecond)
		check("at first", 1, 1, true, 0)
		n.Inject(
			netsim.Fault{For: time.Second, Hosts: []netsim.Host{1}, Others: []netsim.Host{2}, Cut: true},
			netsim.Fault{At: 2 * time.Second, For: time.Second, Hosts: []netsim.Host{2}, Stall: true},
			netsim.Fault{At: 4 * time.Second, For: time.Second, Hosts: []netsim.Host{1}, Worse: netsim.Path{Delay: time.Second}},
		)
		<-time.After(500 * time.Millisecond)
		check("cut", 1, 2, false, 10*time.Millisecond)
		check("cut", 2, 1, false, 10*time.Millisecond)
		check("cut", 1, 3, true, 10*time.Millisecond)
		check("cut", 1, 1, true, 0)
		<-time.After(2 * time.Second)
		check("stalled", 1, 2, false, 10*time.Millisecond)
		check("stalled", 2, 2, false, 0)
		<-time.After(2 * time.Second)
		check("worse", 1, 2, true, 1010*time.Millisecond)
		n.Kill(2)
		check("killed", 1, 2, false, 1010*time.Millisecond)
		check("killed", 2, 2, false, 0)
		n.Revive(2)
		check("revived", 2, 2, true, 0)
	})
}

// At a quiet moment nobody is in the middle of something.
func TestQuiet(t *testing.T) {
	bubble(t, netsim.Path{}, func(t *testing.T, n *netsim.Network) {
		var begun, ended atomic.Int64
		done := make(chan struct{})
		go func() { // works at the same instants, for a moment of real time
			defer close(done)
			for range 20 {
				begun.Add(1)
				for range 100 {
					runtime.Gosched()
				}
				ended.Add(1)
				<-time.After(time.Millisecond)
			}
		}()
		for range 20 {
			n.Quiet(func() {
				if b, e := begun.Load(), ended.Load(); b != e {
					t.Errorf("%d were begun, %d ended", b, e)
				}
			})
			<-time.After(time.Millisecond)
		}
		<-done
		if n := begun.Load(); n != 20 {
			t.Errorf("%d rounds, want 20", n)
		}
	})
}

// A host dies right at the quiet moment: nothing that it sends afterwards arrives.
func TestCrash(t *testing.T) {
	bubble(t, netsim.Path{Delay: time.Millisecond}, func(t *testing.T, n *netsim.Network) {
		a, b := listenPacket(t, n, 1, 7), listenPacket(t, n, 2, 7)
		var sent atomic.Int64
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range 100 {
				if _, err := a.WriteTo([]byte{1}, b.LocalAddr()); err == nil {
					sent.Add(1)
				}
				<-time.After(time.Millisecond)
			}
		}()
		at := int64(0)
		<-time.After(50*time.Millisecond + 1)
		n.Crash(1, func() { at = sent.Load() })
		<-done
		if all := sent.Load(); at == 0 || all != at {
			t.Errorf("%d were sent until the crash, %d in all", at, all)
		}
		if _, open := n.Way(1, 2); open {
			t.Error("the host lives")
		}
	})
}

// After the network was closed nobody waits for a quiet moment.
func TestQuietAfterClose(t *testing.T) {
	bubble(t, netsim.Path{}, func(t *testing.T, n *netsim.Network) {
		n.Close()
		n.Quiet(func() { t.Error("called") })
	})
}

func TestPending(t *testing.T) {
	bubble(t, netsim.Path{Delay: 10 * time.Millisecond}, func(t *testing.T, n *netsim.Network) {
		pending := func(when string, host netsim.Host, least, most int) {
			t.Helper()
			if got := n.Pending(host); got < least || got > most {
				t.Errorf("%s: %d bytes at host %d, want %d to %d", when, got, host, least, most)
			}
		}
		a, b := listenPacket(t, n, 1, 7), listenPacket(t, n, 2, 7)
		send := func() {
			if _, err := a.WriteTo(make([]byte, 1000), b.LocalAddr()); err != nil {
				t.Error(err)
			}
		}
		send()
		<-time.After(5 * time.Millisecond)
		pending("under way", 2, 1000, 1100)
		<-time.After(10 * time.Millisecond)
		pending("arrived", 2, 1000, 1000)
		if _, _, err := b.ReadFrom(make([]byte, 2000)); err != nil {
			t.Error(err)
		}
		pending("read", 2, 0, 0)

		n.Inject(netsim.Fault{For: time.Second, Hosts: []netsim.Host{2}, Stall: true})
		<-time.After(time.Millisecond)
		send()
		<-time.After(20 * time.Millisecond)
		pending("stalled", 2, 1000, 1100)
		<-time.After(time.Second)
		pending("released", 2, 1000, 1000)

		l, err := n.Listen(netsim.Host(2).Addr(80))
		if err != nil {
			t.Fatal(err)
		}
		c, err := n.Dial(t.Context(), 1, "10.0.0.2:80")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write(make([]byte, 100_000)); err != nil {
			t.Error(err)
		}
		pending("written", 1, 100_000, 100_000)
		<-time.After(time.Second)
		pending("acknowledged", 1, 0, 0)
		pending("not read", 2, 101_000, 101_000)
		n.Kill(2)
		pending("dead", 2, 0, 0)
		_, _ = c.Close(), l.Close() // the other end is dead
	})
}
