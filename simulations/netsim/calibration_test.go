package netsim_test

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/simulations/netsim"
	"selvedge/simulations/router"
	"selvedge/simulations/thin"
)

// What Linux' own TCP took, by `selvedge simulate tcp`; the file says when and where.
//
//go:embed testdata/tcp_linux.json
var linux []byte

const (
	// noise is how late a few messages are without any loss, on the machine that measured.
	noise = 10 // ms
	// seldom is the least part of messages that is looked at: of fewer there are too few.
	seldom = 0.002
)

// The model of TCP is as late as Linux' TCP with thin streams, at all losses and round trips that
// were measured: the mean differs by less than 5 %, and as many messages are late by as much, within
// a factor of two. Loss puts messages into steps (a round trip, a timeout), so a quantile alone that lies
// at the edge of a step may be one step off.
func TestTCPIsLikeLinux(t *testing.T) {
	var real router.Measured
	if err := json.Unmarshal(linux, &real); err != nil {
		t.Fatal(err)
	}
	if len(real.Cells) != 12 {
		t.Errorf("%d networks were measured, and should be 12", len(real.Cells))
	}
	for _, want := range real.Cells {
		t.Run(fmt.Sprintf("%v ms, %.3g %% lost", want.RTT, 100*want.Loss), func(t *testing.T) {
			load := real.Load
			load.Messages /= 2 // enough
			got := modelled(t, want.RTT, want.Loss, load)
			t.Logf("Linux, model: mean %.1f, %.1f; p95 %.1f, %.1f; p99 %.1f, %.1f; p99.9 %.1f, %.1f ms", want.Mean, got.Mean, want.P95, got.P95, want.P99, got.P99, want.P999, got.P999)
			if off := got.Mean/want.Mean - 1; math.Abs(off) > 0.05 {
				t.Errorf("the mean is %.1f ms, and Linux' %.1f", got.Mean, want.Mean)
			}
			for _, late := range got.Tail {
				if late.Part < seldom {
					break
				}
				least, most := around(&want, late.Part)
				if least, most = 0.95*least-noise, 1.05*most+noise; late.Than < least || late.Than > most {
					t.Errorf("%.3g %% are later than %.1f ms, which Linux' are not: %.1f to %.1f", 100*late.Part, late.Than, least, most)
				}
			}
		})
	}
}

// modelled is the same load over the model.
func modelled(t *testing.T, rtt, loss float64, w thin.Load) (c router.Cell) {
	synctest.Test(t, func(t *testing.T) {
		path := netsim.Path{Delay: time.Duration(rtt / 2 * float64(time.Millisecond)), Loss: loss}
		n := netsim.New(netsim.Config{Seed: 1, Path: func(_, _ netsim.Host) netsim.Path { return path }})
		defer n.Close()
		l, err := n.Listen(netsim.Host(2).Addr(80))
		if err != nil {
			t.Fatal(err)
		}
		sorted, err := w.Run(t.Context(), l, func(ctx context.Context) (net.Conn, error) { return n.Dial(ctx, 1, l.Addr().String()) })
		if err != nil {
			t.Fatal(err)
		}
		c = router.NewCell(2*path.Delay, loss, sorted)
	})
	return c
}

// around is how late twice as many messages are, and half as many.
func around(c *router.Cell, part float64) (least, most float64) {
	most = c.Max
	for _, late := range c.Tail { // from many to few
		if late.Part >= 2*part {
			least = late.Than
		}
		if late.Part <= part/2 {
			most = late.Than
			break
		}
	}
	return least, most
}
