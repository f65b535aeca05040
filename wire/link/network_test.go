package link_test

import (
	"testing"
	"time"

	"selvedge/wire/link/linktest"
)

func TestNetworkDelaysAndLoses(t *testing.T) {
	n := linktest.NewNetwork(func(from, _ string) (time.Duration, bool) { return time.Millisecond, from == "a" })
	a, b := n.Port("a"), n.Port("b")
	for _, step := range []struct {
		from, to *linktest.Port
		arrives  bool
	}{{a, b, true}, {b, a, false}} {
		if _, err := step.from.WriteTo([]byte("x"), step.to.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		if !step.arrives {
			continue
		}
		b := make([]byte, 9)
		if n, from, err := step.to.ReadFrom(b); err != nil || from != step.from.LocalAddr() || string(b[:n]) != "x" {
			t.Errorf("got %q from %s, %v", b[:n], from, err)
		}
	}
	_ = a.SetReadDeadline(time.Now())
	if _, _, err := a.ReadFrom(nil); err == nil {
		t.Error("what was lost arrived")
	}
}
