package netsim_test

import (
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/simulations/netsim"
)

// bubble runs f in a bubble with a network where every path is the same.
func bubble(t *testing.T, path netsim.Path, f func(t *testing.T, n *netsim.Network)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := netsim.New(netsim.Config{Seed: 1, Path: func(_, _ netsim.Host) netsim.Path { return path }})
		defer n.Close()
		f(t, n)
	})
}

func listenPacket(t *testing.T, n *netsim.Network, h netsim.Host, port uint16) *netsim.PacketConn {
	t.Helper()
	c, err := n.ListenPacket(h.Addr(port))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// arrival is a datagram, by its number, and when it came.
type arrival struct {
	n  int
	at time.Duration
}

// collect reads numbered datagrams until nothing comes for a minute.
func collect(t *testing.T, n *netsim.Network, c *netsim.PacketConn) []arrival {
	t.Helper()
	var all []arrival
	buf := make([]byte, 2000)
	for {
		if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		k, _, err := c.ReadFrom(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		a := arrival{at: n.Since()}
		if _, err := fmt.Sscan(string(buf[:k]), &a.n); err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
}

// send sends numbers, one each millisecond.
func send(t *testing.T, from *netsim.PacketConn, to *netsim.PacketConn, count int) {
	t.Helper()
	for i := range count {
		if _, err := from.WriteTo(fmt.Append(nil, i), to.LocalAddr()); err != nil {
			t.Error(err)
		}
		<-time.After(time.Millisecond)
	}
}

func exchange(t *testing.T, n *netsim.Network, count int) []arrival {
	t.Helper()
	a, b := listenPacket(t, n, 1, 7), listenPacket(t, n, 2, 7)
	done := make(chan struct{})
	go func() { defer close(done); send(t, a, b, count) }()
	all := collect(t, n, b)
	<-done
	return all
}

func TestLatencyIsExact(t *testing.T) {
	bubble(t, netsim.Path{Delay: 17 * time.Millisecond}, func(t *testing.T, n *netsim.Network) {
		all := exchange(t, n, 100)
		if len(all) != 100 {
			t.Fatalf("%d of 100 arrived", len(all))
		}
		for i, a := range all {
			if want := time.Duration(17+i) * time.Millisecond; a.n != i || a.at != want {
				t.Fatalf("arrival %d is %+v, want it at %v", i, a, want)
			}
		}
	})
}

func TestLossRate(t *testing.T) {
	const count, loss = 20000, 0.05
	bubble(t, netsim.Path{Loss: loss}, func(t *testing.T, n *netsim.Network) {
		lost := float64(count - len(exchange(t, n, count)))
		if sigma := math.Sqrt(count * loss * (1 - loss)); math.Abs(lost-count*loss) > 4*sigma {
			t.Errorf("%v of %d were lost, about %v should be", lost, count, count*loss)
		}
	})
}

func TestJitterKeepsOrder(t *testing.T) {
	bubble(t, netsim.Path{Delay: 10 * time.Millisecond, Jitter: 5 * time.Millisecond}, func(t *testing.T, n *netsim.Network) {
		all := exchange(t, n, 2000)
		late := time.Duration(0)
		for i, a := range all {
			if a.n != i {
				t.Fatalf("datagram %d came as number %d", a.n, i)
			}
			late = max(late, a.at-time.Duration(10+i)*time.Millisecond)
		}
		if len(all) != 2000 || late < 10*time.Millisecond {
			t.Errorf("%d came, the latest %v late: jitter should show", len(all), late)
		}
	})
}

func TestReorderAndDuplicate(t *testing.T) {
	path := netsim.Path{Delay: 10 * time.Millisecond, Reorder: 0.1, ReorderBy: 20 * time.Millisecond, Duplicate: 0.1}
	bubble(t, path, func(t *testing.T, n *netsim.Network) {
		all := exchange(t, n, 5000)
		times, swaps, doubled := map[int]int{}, 0, 0
		for i, a := range all {
			if i > 0 && a.n < all[i-1].n && times[a.n] == 0 {
				swaps++
			}
			if times[a.n]++; times[a.n] == 2 {
				doubled++
			}
		}
		if len(times) != 5000 {
			t.Errorf("%d of 5000 came", len(times))
		}
		if swaps < 200 || doubled < 400 || doubled > 600 {
			t.Errorf("%d were overtaken and %d doubled, want some 400 and 500", swaps, doubled)
		}
	})
}

// gaps are the numbers in 0 to count-1 that did not come, as ranges.
func gaps(all []arrival, count int) (out []string) {
	came := map[int]bool{}
	for _, a := range all {
		came[a.n] = true
	}
	for i := 0; i < count; i++ {
		from := i
		for i < count && !came[i] {
			i++
		}
		if i > from {
			out = append(out, fmt.Sprintf("%d-%d", from, i-1))
		}
	}
	return out
}

// What is cut is lost, and only then, and only there.
func TestCut(t *testing.T) {
	bubble(t, netsim.Path{Delay: 10 * time.Millisecond}, func(t *testing.T, n *netsim.Network) {
		n.Inject(netsim.Fault{At: 100 * time.Millisecond, For: 50 * time.Millisecond, Hosts: []netsim.Host{2}, Others: []netsim.Host{1}, Cut: true},
			netsim.Fault{At: 0, Hosts: []netsim.Host{1}, Others: []netsim.Host{3}, Cut: true})
		if got, want := gaps(exchange(t, n, 300), 300), []string{"100-149"}; !slices.Equal(got, want) {
			t.Errorf("lost: %v, want %v", got, want)
		}
	})
}

// A host that stalls loses nothing, and says nothing meanwhile.
func TestStall(t *testing.T) {
	for name, who := range map[string]netsim.Host{"sender": 1, "receiver": 2} {
		t.Run(name, func(t *testing.T) {
			bubble(t, netsim.Path{Delay: 10 * time.Millisecond}, func(t *testing.T, n *netsim.Network) {
				n.Inject(netsim.Fault{At: 100 * time.Millisecond, For: 500 * time.Millisecond, Hosts: []netsim.Host{who}, Stall: true})
				all := exchange(t, n, 300)
				if lost := gaps(all, 300); lost != nil {
					t.Errorf("lost: %v", lost)
				}
				for i, a := range all {
					if a.n != i {
						t.Fatalf("datagram %d came as number %d", a.n, i)
					}
					if a.at > 120*time.Millisecond && a.at < 600*time.Millisecond {
						t.Fatalf("%+v came during the stall", a)
					}
				}
			})
		})
	}
}

// Calm ends what holds and what is to come.
func TestCalm(t *testing.T) {
	bubble(t, netsim.Path{}, func(t *testing.T, n *netsim.Network) {
		n.Inject(netsim.Fault{Hosts: []netsim.Host{1}, Cut: true}, netsim.Fault{At: 150 * time.Millisecond, Hosts: []netsim.Host{2}, Stall: true})
		time.AfterFunc(100*time.Millisecond, n.Calm)
		if got, want := gaps(exchange(t, n, 300), 300), []string{"0-99"}; !slices.Equal(got, want) {
			t.Errorf("lost: %v, want %v", got, want)
		}
	})
}

func TestKilledHost(t *testing.T) {
	bubble(t, netsim.Path{}, func(t *testing.T, n *netsim.Network) {
		c := listenPacket(t, n, 1, 7)
		n.Inject(netsim.Fault{At: time.Second, For: time.Second, Hosts: []netsim.Host{1}, Kill: true})
		if _, _, err := c.ReadFrom(nil); !errors.Is(err, net.ErrClosed) || n.Since() != time.Second {
			t.Errorf("after %v: %v", n.Since(), err)
		}
		if _, err := n.ListenPacket(netsim.Host(1).Addr(7)); err == nil {
			t.Error("a dead host opens sockets")
		}
		<-time.After(2 * time.Second)
		listenPacket(t, n, 1, 7)
	})
}

func TestAddresses(t *testing.T) {
	bubble(t, netsim.Path{}, func(t *testing.T, n *netsim.Network) {
		if got := netsim.Host(0x010203).Addr(80).String(); got != "10.1.2.3:80" {
			t.Error(got)
		}
		listenPacket(t, n, 1, 7)
		if _, err := n.ListenPacket(netsim.Host(1).Addr(7)); err == nil {
			t.Error("one port is opened twice")
		}
		a, b := listenPacket(t, n, 1, 0), listenPacket(t, n, 1, 0)
		if a.LocalAddr().String() == b.LocalAddr().String() {
			t.Error("two sockets have one port")
		}
	})
}
