package upstream

import (
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"selvedge/topology"
	"selvedge/wire"
)

// opened are why logs were opened, and how many.
func (w *world) opened() map[Reason]int {
	return get(w.s, func(s *sink) map[Reason]int { return maps.Clone(s.why) })
}

// A core that stops says so: it is no lost link, its logs come back to it as soon
// as it does, and each is opened for the reason that there was.
func TestACoreThatStopsHasLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, three...)
		w.pass(time.Second)
		stops := first(three, 0)
		n := 0
		for _, name := range plan(three...) {
			if name == stops {
				n++
			}
		}
		for range 3 { // a link that was lost as often would have to settle for 4 s
			w.cores[stops].stop()
			w.pass(500 * time.Millisecond)
			w.serves(without(three, stops)...)
			w.run(stops)
			w.say(stops, topology.StateStarting)
			w.say(stops, topology.StateReady)
			w.pass(500 * time.Millisecond)
			w.serves(three...)
		}
		w.complete()
		if left := get(w.s, func(s *sink) []string { return s.left }); !slices.Equal(left, []string{stops, stops, stops}) {
			t.Errorf("cores that left: %v", left)
		}
		if cuts := get(w.s, func(s *sink) int { return s.cuts }); cuts != 0 {
			t.Errorf("%d links were lost", cuts)
		}
		if diff := cmp.Diff(map[Reason]int{Start: logs + 1, Left: 3 * n, Moved: 3 * n}, w.opened()); diff != "" {
			t.Errorf("logs were opened (-should +were):\n%s", diff)
		}
	})
}

// Logs that are opened again say why.
func TestWhyLogsAreOpened(t *testing.T) {
	for want, happens := range map[Reason]func(w *world, name string){
		Lost:   func(w *world, name string) { w.cores[name].srv.Reset("cut") },
		Gone:   func(w *world, name string) { w.die(name) },
		Silent: func(w *world, name string) { w.set(name, true, true) },
		Moved:  func(w *world, name string) { w.say(name, topology.StateDraining) },
		Epoch: func(w *world, _ string) {
			for _, c := range w.cores {
				c.renew()
			}
		},
	} {
		t.Run(string(want), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, three...)
				w.pass(time.Second)
				happens(w, first(three, 0))
				w.pass(6 * time.Second)
				got := w.opened()
				if got[want] == 0 || got[Start] != logs+1 {
					t.Errorf("logs were opened: %v", got)
				}
				delete(got, Moved) // to where they belong, when all is well again
				if want == Epoch { // to a core that has yet to hear of it
					delete(got, Lost)
				}
				if delete(got, Start); want != Moved && len(got) != 1 {
					t.Errorf("logs were also opened for %v", got)
				}
			})
		})
	}
}

// What comes is told with the region of the core that it comes from.
func TestWhatIsReceivedIsToldByRegion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, three...)
		w.pass(time.Second)
		from := get(w.s, func(s *sink) map[string]int { return maps.Clone(s.from) })
		for _, name := range plan(three...) {
			if from["near-"+name] == 0 {
				t.Errorf("nothing came from %s: %v", name, from)
			}
		}
	})
}

// The end of a log is known though the log itself is stuck; in another epoch it
// is the new one.
func TestTheEndOfALogThatIsStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "core-a")
		if end := w.u.End(0); end != 0 {
			t.Errorf("before the first link log 0 ends at %d", end)
		}
		w.pass(time.Second)
		stuck := make(chan struct{})
		w.s.stuck.Store(&hold{func(p wire.LogID) bool { return p == 0 }, stuck})
		w.pass(10 * time.Second)
		ends := func(p wire.LogID) wire.Seq {
			w.mu.Lock()
			defer w.mu.Unlock()
			return wire.Seq(len(w.all[p]))
		}
		time.Sleep(1100 * time.Millisecond)
		for _, p := range []wire.LogID{0, 1, wire.StateLog} {
			if got, want := w.u.End(p), ends(p); got != want {
				t.Errorf("log %d is said to end at %d, it does at %d", p, got, want)
			}
		}
		if pos := get(w.s, func(s *sink) wire.Seq { return s.pos[0] }); pos+100 > ends(0) {
			t.Errorf("the log is not stuck: %d of %d", pos, ends(0))
		}
		w.s.stuck.Store(nil)
		close(stuck)
		w.complete()
		for _, tl := range w.cores["core-a"].tails {
			tl.Reset(3)
		}
		w.cores["core-a"].renew()
		time.Sleep(3 * time.Second)
		if end := w.u.End(0); end != 3 {
			t.Errorf("in the new epoch log 0 ends at %d, want 3", end)
		}
	})
}
