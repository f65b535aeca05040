package thin_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/simulations/netsim"
	"selvedge/simulations/thin"
)

// run runs a load over a network, and returns also when it was over.
func run(t *testing.T, w thin.Load, path netsim.Path, broken bool) (took []time.Duration, err error) {
	synctest.Test(t, func(t *testing.T) {
		n := netsim.New(netsim.Config{Path: func(_, _ netsim.Host) netsim.Path { return path }})
		defer n.Close()
		l, listening := n.Listen(netsim.Host(2).Addr(80))
		if listening != nil {
			t.Fatal(listening)
		}
		if broken {
			time.AfterFunc(time.Second, func() { n.Kill(1) })
		}
		took, err = w.Run(t.Context(), l, func(ctx context.Context) (net.Conn, error) { return n.Dial(ctx, 1, l.Addr().String()) })
	})
	return took, err
}

var load = thin.Load{Conns: 5, Messages: 20, Every: 100 * time.Millisecond, Size: 100}

func TestEachMessageTakesOneWay(t *testing.T) {
	took, err := run(t, load, netsim.Path{Delay: 30 * time.Millisecond}, false)
	if err != nil {
		t.Fatal(err)
	}
	if want := slices.Repeat([]time.Duration{30 * time.Millisecond}, 100); !slices.Equal(took, want) {
		t.Errorf("%d messages took %v", len(took), took)
	}
}

func TestLossIsSeen(t *testing.T) {
	took, err := run(t, load, netsim.Path{Delay: 30 * time.Millisecond, Loss: 0.05}, false)
	if err != nil {
		t.Fatal(err)
	}
	if len(took) != 100 || !slices.IsSorted(took) || took[99] < 90*time.Millisecond {
		t.Errorf("%d messages took %v", len(took), took)
	}
}

func TestWhatFailsIsTold(t *testing.T) {
	if took, err := run(t, load, netsim.Path{}, true); err == nil {
		t.Errorf("a host died, and %d messages came", len(took))
	}
}

func TestInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := netsim.New(netsim.Config{})
		defer n.Close()
		l, err := n.Listen(netsim.Host(2).Addr(80))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := load.Run(ctx, l, func(ctx context.Context) (net.Conn, error) { return n.Dial(ctx, 1, l.Addr().String()) }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it ended with %v", err)
		}
	})
}
