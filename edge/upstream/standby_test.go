package upstream

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/wire"
	"selvedge/wire/link"
)

// at checks that all frame logs are at a node, and the state log at a core.
func (w *world) at(name string) {
	w.t.Helper()
	for p, node := range w.where() {
		if p == wire.StateLog && isRelay(node) || p != wire.StateLog && node != name {
			w.t.Errorf("log %d is at %q, should be at %q", p, node, name)
		}
	}
}

// shifting is a plan that a test changes.
type shifting struct{ atomic.Pointer[string] }

func (s *shifting) to(w *world, name string) {
	s.Store(&name)
	if w != nil {
		w.u.look()
	}
}

func (s *shifting) relay(int) string { return *s.Load() }

func newShifting(name string) *shifting {
	s := &shifting{}
	s.to(nil, name)
	return s
}

// While something is published all the time, logs go to their relay, to another one,
// and back to the core, and everything comes once and in order, without a break.
func TestLogsMoveWithoutABreak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := newShifting("")
		w := newWorldWith(t, plan.relay, "core-a", "relay-a", "relay-b")
		w.pass(2 * time.Second)
		w.at("core-a")
		for _, next := range []string{"relay-a", "relay-b", "", "relay-b", "relay-a"} {
			plan.to(w, next)
			w.pass(3 * time.Second)
			if next == "" {
				next = "core-a"
			}
			w.at(next)
		}
		w.pass(2 * linger)
		w.complete()
		if lost := get(w.s, func(s *sink) int { return s.why[Lost] + s.why[Silent] + s.why[Behind] }); lost > 0 {
			t.Errorf("%d logs were opened anew for a fault", lost)
		}
		if n := w.u.Links(); len(n) != 2 {
			t.Errorf("%d links are up, want those to the core and the relay: %v", len(n), n)
		}
	})
}

// What is wanted and dropped while a log moves holds where it comes to.
func TestInterestsWhileALogMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := newShifting("")
		w := newWorldWith(t, plan.relay, "core-a", "relay-a")
		w.pass(time.Second)
		r := rand.New(rand.NewPCG(1, 2))
		held := map[wire.Key]bool{}
		for i := range 200 {
			plan.to(w, []string{"", "relay-a"}[i/20%2])
			k := wire.Key(1000 + r.IntN(40))
			if held[k] {
				w.u.Drop(0, k)
			} else {
				w.u.Want(0, Want{Key: k, Since: link.Live, Token: fmt.Sprint(k)})
			}
			held[k] = !held[k]
			time.Sleep(time.Duration(r.IntN(8)) * time.Millisecond)
		}
		plan.to(w, "relay-a")
		w.pass(10 * time.Second)
		w.at("relay-a")
		w.complete()
		for _, name := range []string{"relay-a", "core-a"} {
			w.mu.Lock()
			peers := w.cores[name].srv.Peers()
			w.mu.Unlock()
			interests := 0
			for _, p := range peers {
				interests += p.Interests
			}
			if want := w.u.Interests(); name == "relay-a" && interests != want || name == "core-a" && interests != 0 {
				t.Errorf("%s holds %d interests, %d are wanted", name, interests, want)
			}
		}
	})
}

// A relay that dies costs no more than it takes to know: a core has everything after
// any position. When it is back, it has its logs again.
func TestARelayDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := newShifting("relay-a")
		w := newWorldWith(t, plan.relay, "core-a", "relay-a")
		w.pass(3 * time.Second)
		w.at("relay-a")
		w.cutOff("relay-a", true)
		w.pass(1900 * time.Millisecond)
		w.at("core-a")
		w.cutOff("relay-a", false)
		w.pass(30 * time.Second)
		w.at("relay-a")
		w.complete()
	})
}

// A relay that says nothing of a log any more, but is there, loses it for a while.
func TestARelayFallsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := newShifting("relay-a")
		w := newWorldWith(t, plan.relay, "core-a", "relay-a")
		w.pass(3 * time.Second)
		w.set("relay-a", true, true)
		w.pass(4500 * time.Millisecond)
		w.at("core-a")
		w.set("relay-a", false, false)
		w.pass(time.Minute)
		w.at("relay-a")
		w.complete()
	})
}

// A relay that does not have the logs is asked again, less and less often; the logs
// stay where they are.
func TestARelayThatHasNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := newShifting("relay-a")
		w := newWorldWith(t, plan.relay, "core-a", "relay-a")
		relay := w.cores["relay-a"]
		relay.mu.Lock()
		relay.refuses = true
		relay.mu.Unlock()
		w.pass(time.Minute)
		w.at("core-a")
		relay.mu.Lock()
		asked := relay.opened / logs
		relay.refuses = false
		relay.mu.Unlock()
		if asked < 4 || asked > 40 {
			t.Errorf("a relay without logs was asked %d times a minute for each", asked)
		}
		w.pass(20 * time.Second)
		w.at("relay-a")
		w.complete()
	})
}

// The core dies while logs are on their way to a relay: they go on there if it has all
// that follows, or at another core.
func TestTheCoreDiesWhileLogsMove(t *testing.T) {
	for _, after := range []time.Duration{0, 5, 12, 18, 25, 32, 40, 60} {
		t.Run(fmt.Sprint(after), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				plan := newShifting("")
				w := newWorldWith(t, plan.relay, "core-a", "core-b", "relay-a")
				w.pass(2 * time.Second)
				plan.to(w, "relay-a")
				time.Sleep(after * time.Millisecond)
				w.die("core-a")
				w.pass(20 * time.Second)
				w.at("relay-a")
				w.complete()
			})
		})
	}
}

// A relay may be behind the stream that it takes over from: what it repeats is taken for
// a repetition. An interest that is new there is live from where the edge stands, and has
// to be filled before.
func TestNewInterestsAtARelayThatIsBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := newShifting("")
		w := newWorldWith(t, plan.relay, "core-a", "relay-a")
		w.pass(2 * time.Second)
		w.set("relay-a", true, false)
		w.pass(time.Second)
		plan.to(w, "relay-a")
		time.Sleep(100 * time.Millisecond)
		w.at("relay-a")
		stands := w.s.Position(0)
		w.u.Want(0, Want{Key: 4711, Since: stands - 1, Token: "new"})
		time.Sleep(100 * time.Millisecond)
		m := get(w.s, func(s *sink) link.Marker { return s.marks["new"] })
		if m.Seq != stands || len(m.Moved) != 1 || m.Moved[0] != 4711 {
			t.Errorf("the new interest is live from %d on, moved %v; the edge stands at %d", m.Seq, m.Moved, stands)
		}
		w.set("relay-a", false, false)
		w.pass(5 * time.Second)
		w.u.Want(0, Want{Key: 4712, Since: link.Live, Token: "newer"})
		time.Sleep(100 * time.Millisecond)
		if m := get(w.s, func(s *sink) link.Marker { return s.marks["newer"] }); m.Seq <= stands || len(m.Moved) != 0 {
			t.Errorf("an interest at a relay that is not behind is live from %d on, moved %v", m.Seq, m.Moved)
		}
		w.complete()
	})
}

// A standby that is given up is closed before the same log is opened at its link
// again, however long that takes: a log that is opened twice costs the link.
func TestAStandbyIsClosedBeforeItsLogIsOpenedThere(t *testing.T) {
	// giveUp gives up a standby of log 0 at a node. The message that opens it is on
	// its way until the test lets it go.
	giveUp := func(w *world, name string) (let func()) {
		w.u.mu.Lock()
		defer w.u.mu.Unlock()
		lg := w.u.logLocked(0)
		opened := make(chan struct{})
		lg.heir = &standby{s: w.u.nodes[name].s, since: w.u.now(), opened: opened, taken: make(chan struct{}), over: make(chan struct{})}
		w.u.giveUpLocked(lg)
		return func() { close(opened) }
	}
	t.Run("as a standby", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			plan := newShifting("relay-a")
			w := newWorldWith(t, plan.relay, "core-a", "relay-a")
			w.pass(3 * time.Second)
			plan.to(w, "")
			w.pass(2 * time.Second)
			w.at("core-a")
			let := giveUp(w, "relay-a")
			plan.to(w, "relay-a")
			w.pass(5 * time.Second)
			if at := w.where(); at[0] != "core-a" || at[1] != "relay-a" {
				t.Errorf("log 0 is at %s, and log 1 at %s", at[0], at[1])
			}
			let()
			w.pass(3 * time.Second)
			w.at("relay-a")
			w.complete()
		})
	})
	t.Run("in its own right", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			plan := newShifting("relay-a")
			w := newWorldWith(t, plan.relay, "core-a", "relay-a")
			w.pass(3 * time.Second)
			w.at("relay-a")
			let := giveUp(w, "core-a")
			w.cutOff("relay-a", true)
			w.pass(5 * time.Second)
			if at := w.where(); at[0] != "" || at[1] != "core-a" {
				t.Errorf("log 0 is at %q, and log 1 at %q", at[0], at[1])
			}
			let()
			w.pass(time.Second)
			w.at("core-a")
			w.complete()
			if n := w.lines.with("link lost", "core-a"); n > 0 {
				t.Errorf("the link to the core was lost %d times", n)
			}
		})
	})
}
