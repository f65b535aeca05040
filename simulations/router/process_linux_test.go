package router

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"selvedge/simulations/load"
	"selvedge/simulations/netsim"
)

// standIns are namespaces' devices that need no privilege: socket pairs, which keep packets apart as
// a TUN device does. far is what the namespace has of each.
func standIns(t *testing.T, n int) (spaces []*Space, far []*os.File) {
	t.Helper()
	for range n {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.SetNonblock(pair[1], true); err != nil { // so that deadlines work
			t.Fatal(err)
		}
		s, f := &Space{tun: os.NewFile(uintptr(pair[0]), "near")}, os.NewFile(uintptr(pair[1]), "far")
		t.Cleanup(func() {
			s.Close()
			_ = f.Close() // nothing is kept in it
		})
		if err := f.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		spaces, far = append(spaces, s), append(far, f)
	}
	return spaces, far
}

func start(t *testing.T, p Plan, spaces []*Space) *Router {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r, err := Start(p, spaces, binary, "simulate", "router")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The process moves packets both ways, none before its time, in order, and counts them.
func TestTheProcessRoutes(t *testing.T) {
	const delay, count = 30 * time.Millisecond, 50
	spaces, far := standIns(t, 2)
	r := start(t, plan(netsim.Path{Delay: delay}), spaces)
	var sent [count]int64
	for i := range count {
		p := packet(1, 2, 60+i)
		sent[i] = load.Now()
		if _, err := far[0].Write(p); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := far[0].Write([]byte("what is no packet")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 2*mtu)
	for i := range count {
		n, err := far[1].Read(b)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Duration(load.Now() - sent[i]); took < delay {
			t.Errorf("packet %d arrived after %v", i, took)
		}
		if !bytes.Equal(b[:n], packet(1, 2, 60+i)) {
			t.Errorf("packet %d arrived changed", i)
		}
	}
	if _, err := far[1].Write(packet(3, 1, 99)); err != nil {
		t.Fatal(err)
	}
	if n, err := far[0].Read(b); err != nil || !bytes.Equal(b[:n], packet(3, 1, 99)) {
		t.Errorf("back came %d bytes: %v", n, err)
	}
	counts, err := r.Stop()
	if want := (Counts{Passed: count + 1, Stranger: 1}); err != nil || counts != want {
		t.Errorf("%+v, %v", counts, err)
	}
}

// What is on its way when the router is stopped is lost, and Stop doesn't wait for it.
func TestStopDoesNotWait(t *testing.T) {
	spaces, far := standIns(t, 2)
	r := start(t, plan(netsim.Path{Delay: time.Hour}), spaces)
	if _, err := far[0].Write(packet(1, 2, 60)); err != nil {
		t.Fatal(err)
	}
	if counts, err := r.Stop(); err != nil || counts.Passed > 1 {
		t.Errorf("%+v, %v", counts, err)
	}
}

func TestABadPlanIsTold(t *testing.T) {
	spaces, _ := standIns(t, 2)
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := plan(netsim.Path{})
	p.Hosts[0].Space = 9
	if _, err := Start(p, spaces, binary, "simulate", "router"); err == nil || !strings.Contains(err.Error(), "namespace 9 of 2") {
		t.Errorf("%v", err)
	}
}
