package upstream

import (
	"testing"
	"testing/synctest"
	"time"

	"selvedge/topology"
	"selvedge/wire"
)

var three = []string{"core-a", "core-b", "core-c"}

// Each log comes from the core that serves it, over one link to each of these.
func TestEachLogComesFromTheCoreThatServesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, three...)
		time.Sleep(500 * time.Millisecond)
		w.serves(three...)
		w.pass(2 * time.Second)
		w.complete()
		if n := w.s.links(); n != 3 {
			t.Errorf("%d links, want 3", n)
		}
		total := 0
		for _, l := range w.u.Links() {
			total += l.Logs
		}
		if total != logs+1 {
			t.Errorf("%d logs come over the links, want %d", total, logs+1)
		}
		for p := range wire.LogID(logs) {
			if age := time.Since(w.u.Fresh(p)); age > 1500*time.Millisecond {
				t.Errorf("the last watermark of log %d is %v old", p, age)
			}
		}
		if !w.u.Fresh(logs).IsZero() {
			t.Error("a log that is not there is fresh")
		}
	})
}

// One core: one link, and nothing that is said more than once.
func TestOneCoreIsAsQuietAsEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "core-a")
		w.pass(5 * time.Minute)
		w.complete()
		w.serves("core-a")
		if all, linked := w.lines.with(), w.lines.with("linked", "core-a"); all != 1 || linked != 1 {
			t.Errorf("%d lines, %d of them of the link: %q", all, linked, w.lines.all)
		}
	})
}

// A core that comes is given its logs, and one that gossip forgets is left.
func TestLogsMoveWithThePlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, three[:2]...)
		w.pass(time.Second)
		w.serves(three[:2]...)
		w.run("core-c")
		w.say("core-c", topology.StateStarting)
		w.pass(time.Second)
		w.serves(three[:2]...)
		w.say("core-c", topology.StateReady)
		w.pass(time.Second)
		w.serves(three...)
		w.say("core-a", "") // but the link holds
		w.pass(time.Second)
		w.serves(three[1:]...)
		w.complete()
		w.pass(2 * linger)
		if n, cuts := len(w.u.Links()), get(w.s, func(s *sink) int { return s.cuts }); n != 2 || cuts != 0 {
			t.Errorf("%d links and %d that were lost; want 2 and none", n, cuts)
		}
	})
}

// A core that drains is left in order, before it goes.
func TestADrainingCoreIsLeftCalmly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, three...)
		w.pass(time.Second)
		w.say("core-b", topology.StateDraining)
		w.pass(500 * time.Millisecond)
		w.serves("core-a", "core-c")
		w.pass(2 * linger)
		w.cores["core-b"].stop()
		w.say("core-b", "")
		w.pass(time.Second)
		w.complete()
		if n := get(w.s, func(s *sink) int { return s.cuts }); n != 0 {
			t.Errorf("%d links were lost", n)
		}
		if n := w.lines.with("logs move", "to=core-b"); n != 0 {
			t.Errorf("logs moved to the draining core %d times", n)
		}
	})
}

// All drain: they serve as long as they can.
func TestCoresThatAllDrainServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, three...)
		w.pass(time.Second)
		for _, name := range three {
			w.say(name, topology.StateDraining)
		}
		w.pass(5 * time.Second)
		w.serves(three...)
		w.complete()
	})
}

// The logs of a core that dies without a word, or says goodbye, are taken by the
// next ones; the others' don't notice.
func TestTheLogsOfACoreThatDiesAreTakenByTheNext(t *testing.T) {
	for _, how := range []string{"without a word", "with a goodbye"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, three...)
				w.pass(time.Second)
				dies := first(three, 0)
				took := 4500 * time.Millisecond // found by its silence
				if how == "without a word" {
					w.die(dies)
				} else {
					w.cores[dies].stop()
					took = 500 * time.Millisecond
				}
				w.pass(took)
				w.serves(without(three, dies)...)
				w.complete()
				if n := w.lines.with("level=ERROR"); n != 0 {
					t.Errorf("%d errors", n)
				}
			})
		})
	}
}

// A core that never answers costs the logs of others nothing, and its own a
// second.
func TestACoreThatNeverAnswersHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead := first(three, 0)
		// The state log's own core answers: else its second comes first.
		if dead == first(three, topology.StateLog) {
			t.Fatal("choose other names")
		}
		w := newWorldCut(t, dead, three...)
		time.Sleep(300 * time.Millisecond)
		for p, want := range plan(three...) {
			if got := w.where()[p]; want != dead && got != want {
				t.Errorf("log %d is at %q, want %s", p, got, want)
			}
		}
		time.Sleep(1200 * time.Millisecond)
		w.serves(without(three, dead)...)
		w.cutOff(dead, false)
		w.pass(10 * time.Second)
		w.serves(three...)
		w.complete()
	})
}

// The very first core not answering, another one tells the epoch.
func TestTheStateLogsCoreThatNeverAnswersIsPassedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead := first(three, topology.StateLog)
		w := newWorldCut(t, dead, three...)
		time.Sleep(2500 * time.Millisecond)
		w.serves(without(three, dead)...)
		w.pass(time.Second)
		w.complete()
	})
}

// newWorldCut is newWorld with a core that no datagram reaches.
func newWorldCut(t *testing.T, dead string, names ...string) *world {
	w := newWorld(t, names...)
	w.cutOff(dead, true)
	return w
}

// A core that comes and goes is taken back less and less often.
func TestACoreThatFlapsIsTakenBackLessAndLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, three...)
		w.pass(time.Second)
		flaps := first(three, 0)
		const times = 40
		for range times {
			w.cores[flaps].srv.Reset("flap")
			w.pass(3 * time.Second)
		}
		moves := w.lines.with("logs move", "to="+flaps)
		if moves > 6 {
			t.Errorf("of %d times that the core came back, it was given logs %d times", times, moves)
		}
		w.pass(2 * time.Minute)
		w.serves(three...) // all is forgiven
		w.complete()
	})
}

// Logs that fall silent at a core, while its links ping, are left for the next
// core, and come back when it speaks again.
func TestASilentCoreIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, three...)
		w.pass(time.Second)
		silent := first(three, 0)
		w.set(silent, true, true)
		w.pass(5 * time.Second)
		w.serves(without(three, silent)...)
		w.complete()
		if n := get(w.s, func(s *sink) int { return s.cuts }); n != 0 {
			t.Errorf("%d links were lost", n)
		}
		w.pass(5 * time.Minute) // it is tried again, more and more rarely
		w.complete()
		if n := w.lines.with("logs move", "to="+silent); n > 6 {
			t.Errorf("the silent core was tried %d times in 5 minutes", n)
			for _, l := range w.lines.all[:60] {
				t.Log(l)
			}
		}
		w.set(silent, false, false)
		w.pass(2 * maxPause)
		w.serves(three...)
		w.complete()
	})
}

// The only core is never left, however silent.
func TestTheOnlyCoreIsNotLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "core-a")
		w.pass(time.Second)
		w.set("core-a", true, true)
		w.pass(time.Minute)
		w.serves("core-a")
		w.set("core-a", false, false)
		w.pass(time.Second)
		w.complete()
		if n := w.lines.with(); n != 1 {
			t.Errorf("%d lines were logged: %q", n, w.lines.all)
		}
	})
}

// A log that waits for us isn't silent.
func TestASlowSinkIsNoSilentCore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, three...)
		w.pass(time.Second)
		stuck := make(chan struct{})
		w.s.stuck.Store(&hold{func(p wire.LogID) bool { return p != wire.StateLog }, stuck})
		w.pass(20 * time.Second)
		if n := w.lines.with("silent"); n != 0 {
			t.Errorf("%d logs are said to be silent", n)
		}
		w.s.stuck.Store(nil)
		close(stuck)
		w.pass(time.Second)
		w.serves(three...)
		w.complete()
	})
}
