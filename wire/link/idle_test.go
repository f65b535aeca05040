package link_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/internal/identity"
	"selvedge/wire"
	"selvedge/wire/link/linktest"
	"selvedge/wire/tail"
)

// An idle link takes few packets, however many logs it has: the watermarks in one,
// the ping with their acknowledgement, its pong, and the pong's acknowledgement. One
// to a relay has a packet more, and is never silent for long.
func TestAnIdleLinkIsQuiet(t *testing.T) {
	for name, want := range map[string]struct {
		relay     bool
		perSecond int64
		silence   time.Duration
	}{
		"to a core":  {perSecond: 4, silence: 1050 * time.Millisecond},
		"to a relay": {relay: true, perSecond: 5, silence: 550 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const logs = 8
				var packets atomic.Int64
				var heard, silence atomic.Int64 // nanoseconds; of what the downstream gets
				began := time.Now()
				n := linktest.NewNetwork(func(from, _ string) (time.Duration, bool) {
					packets.Add(1)
					if now := int64(time.Since(began)); from == "up" {
						silence.Store(max(silence.Load(), now-heard.Swap(now)))
					}
					return time.Millisecond, true
				})
				m := linktest.NewMemory(logs, 1<<20)
				role := identity.RoleCore
				if want.relay {
					role = identity.RoleEdge
				}
				s := serveAs(t, m, n.Port("up"), role, "up")
				d, err := dialer{pc: n.Port("e"), name: "e", relay: want.relay, peer: "up"}.dial(t, s.addr)
				if err != nil {
					t.Fatal(err)
				}
				for p := range wire.LogID(logs) {
					d.open(p, 0)
				}
				seconds := func(n int) {
					for range n {
						for p := range wire.LogID(logs) {
							m.Stamp(p)
						}
						time.Sleep(time.Second)
					}
				}
				seconds(5) // the path's MTU is found, and the pings have found their place
				before := packets.Load()
				silence.Store(0)
				seconds(60)
				if got := packets.Load() - before; got > 60*want.perSecond*11/10 {
					t.Errorf("%d packets in a minute, want some %d a second", got, want.perSecond)
				}
				if got := time.Duration(silence.Load()); got > want.silence {
					t.Errorf("nothing was heard for %v, want %v at most", got, want.silence)
				}
				for p := range wire.LogID(logs) {
					if got := len(d.logs[p]); got < 60 {
						t.Errorf("log %d has had %d watermarks", p, got)
					}
				}
			})
		})
	}
}

// A log whose records this downstream does not want never rests: its watermarks come all
// the same.
func TestWatermarksOfABusyLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := linktest.NewNetwork(func(string, string) (time.Duration, bool) { return time.Millisecond, true })
		m := linktest.NewMemory(1, 1<<20)
		d, err := dialer{pc: n.Port("e"), name: "e"}.dial(t, serve(t, m, n.Port("up")).addr)
		if err != nil {
			t.Fatal(err)
		}
		d.open(0, 0)
		const seconds = 10
		for i := range seconds * 1000 {
			if i%1000 == 500 {
				m.Stamp(0)
			}
			m.Record(0, tail.Frame, 77, []byte("of no interest"))
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second)
		if got := len(d.logs[0]); got != seconds {
			t.Errorf("%d watermarks came of %d", got, seconds)
		}
	})
}
