package netsim

import (
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// Hosts of an office share its access: two that send at the same time take twice as
// long as one, each way; and what is among themselves takes no time there.
func TestAnAccessIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const bytes = 1_000_000
		office := &Access{Up: bytes, Down: 2 * bytes}
		n := New(Config{Buffer: 4 * bytes, Access: func(h Host) *Access {
			if h == 1 || h == 2 {
				return office
			}
			return nil
		}})
		defer n.Close()
		send := func(from, to Host, port uint16) chan time.Duration {
			l, err := n.Listen(to.Addr(port))
			if err != nil {
				t.Fatal(err)
			}
			took := make(chan time.Duration, 1)
			begin := n.Since()
			go func() {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = io.CopyN(io.Discard, c, bytes)
				took <- n.Since() - begin
				_ = c.Close()
			}()
			go func() {
				c, err := n.Dial(t.Context(), from, to.Addr(port).String())
				if err != nil {
					return
				}
				_, _ = c.Write(make([]byte, bytes))
			}()
			return took
		}
		between := func(what string, got, least, most time.Duration) {
			t.Helper()
			if got < least || got > most {
				t.Errorf("%s: %v, want %v to %v", what, got, least, most)
			}
		}
		between("one up", <-send(1, 9, 1), time.Second, 1100*time.Millisecond)
		a, b := send(1, 9, 2), send(2, 8, 2)
		between("two up", max(<-a, <-b), 2*time.Second, 2200*time.Millisecond)
		between("one down", <-send(9, 1, 3), 500*time.Millisecond, 600*time.Millisecond)
		a, b = send(9, 1, 4), send(8, 2, 4)
		between("two down", max(<-a, <-b), time.Second, 1100*time.Millisecond)
		between("within", <-send(1, 2, 5), 0, time.Millisecond)
		up, down := n.Busy(office)
		if up.Bytes < 3*bytes || down.Bytes < 3*bytes || up.Lost+down.Lost > 0 || up.Longest < 10*time.Millisecond {
			t.Errorf("%+v up, %+v down", up, down)
		}
		if other, _ := n.Busy(&Access{}); other != (Busy{}) {
			t.Errorf("an access that nobody has saw %+v", other)
		}
	})
}

// What finds no room in the queue of an access is lost, and TCP sends it again.
func TestAnAccessHasRoomForSoMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const bytes = 1_000_000
		office := &Access{Up: bytes, Queue: 20_000}
		n := New(Config{Buffer: 4 * bytes, Path: func(Host, Host) Path { return Path{Delay: 10 * time.Millisecond} }, Access: func(h Host) *Access {
			if h == 1 {
				return office
			}
			return nil
		}})
		defer n.Close()
		l, err := n.Listen(Host(9).Addr(1))
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			c, err := n.Dial(t.Context(), 1, Host(9).Addr(1).String())
			if err != nil {
				return
			}
			_, _ = c.Write(make([]byte, bytes))
		}()
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.CopyN(io.Discard, c, bytes); err != nil || got != bytes {
			t.Errorf("%d bytes came, %v", got, err)
		}
		up, _ := n.Busy(office)
		if up.Lost == 0 || up.Longest > 25*time.Millisecond || n.Stats().Lost != up.Lost {
			t.Errorf("%+v: the queue is 20 ms long; %+v", up, n.Stats())
		}
	})
}
