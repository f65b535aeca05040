package upstream

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/topology"
	"selvedge/wire"
)

// A replica that lacks what this edge has seen is passed over for the next, until
// it has it.
func TestALaggingReplicaIsPassedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, three...)
		w.pass(time.Second)
		dies := first(three, 0)
		left := without(three, dies)
		lags := first(left, 0)
		w.set(lags, true, false)
		w.pass(time.Second)
		w.cores[dies].stop()
		w.say(dies, "")
		w.pass(3 * time.Second)
		if got := w.where()[0]; got != without(left, lags)[0] {
			t.Errorf("log 0 is at %q, want the core that has it, %s", got, without(left, lags)[0])
		}
		w.set(lags, false, false)
		w.pass(30 * time.Second)
		w.serves(left...)
		w.complete()
		if n := w.lines.with("level=ERROR"); n != 0 {
			t.Errorf("%d errors though a core had it", n)
		}
	})
}

// That no core has what was seen is said once and loudly, and the log goes on as
// soon as one has it.
func TestALogThatNoCoreHasIsSaidLoudly(t *testing.T) {
	for _, names := range [][]string{three[:1], three} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, names...)
			w.pass(time.Second)
			w.s.mu.Lock()
			w.s.pos[0] += 5
			w.s.mu.Unlock()
			for _, name := range names {
				w.cores[name].srv.Reset("cut")
			}
			time.Sleep(time.Minute)
			if n := w.lines.with("level=ERROR", "epoch.json", "log=0"); n != 1 {
				t.Errorf("it was said %d times: %q", n, w.lines.all)
			}
			for p, at := range w.where() {
				if p != 0 && at == "" {
					t.Errorf("log %d is at %q", p, at)
				}
			}
			w.pass(20 * time.Second)
			w.serves(names...)
		})
	}
}

// A new epoch that one core knows first is believed from the core of the state
// log alone. It begins once; the others are taken as they agree.
func TestAnEpochIsBelievedFromTheStateLogsCore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, three...)
		w.pass(time.Second)
		decides := first(three, topology.StateLog)
		others := without(three, decides)
		epochs := func() []string { return get(w.s, func(s *sink) []string { return slices.Clone(s.epochs) }) }

		w.cores[others[0]].renew() // the first to know has no say
		w.pass(20 * time.Second)
		if got := epochs(); !slices.Equal(got, []string{"e1"}) {
			t.Fatalf("epochs %q", got)
		}
		w.serves(without(three, others[0])...)

		w.cores[decides].renew()
		w.pass(5 * time.Second)
		if got := epochs(); !slices.Equal(got, []string{"e1", "e2"}) {
			t.Fatalf("epochs %q", got)
		}
		w.serves(without(three, others[1])...)
		if n := w.lines.with("no upstream", "to="+others[1]); n != 1 {
			t.Errorf("that a core has yet to agree was said %d times", n)
		}

		w.cores[others[1]].renew()
		w.pass(5 * time.Second)
		w.serves(three...)
		w.complete()
		if got := epochs(); !slices.Equal(got, []string{"e1", "e2"}) {
			t.Fatalf("epochs %q", got)
		}
	})
}

// The new epoch's only witness dies: the old one, which another still tells, is
// not gone back to.
func TestAnEpochThatWasLeftIsNotGoneBackTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, three...)
		w.pass(time.Second)
		decides := first(three, topology.StateLog)
		w.cores[decides].renew()
		w.pass(3 * time.Second)
		w.cores[decides].stop()
		w.say(decides, "")
		w.pass(5 * time.Second)
		for p, at := range w.where() {
			if at != "" {
				t.Errorf("log %d is followed at %s", p, at)
			}
		}
		for _, name := range without(three, decides) {
			w.cores[name].renew()
		}
		w.pass(5 * time.Second)
		w.serves(without(three, decides)...)
		w.complete()
		if got := get(w.s, func(s *sink) []string { return s.epochs }); !slices.Equal(got, []string{"e1", "e2"}) {
			t.Errorf("epochs %q", got)
		}
	})
}

// Every link changes its epoch in the same moment: it begins once.
func TestAllCoresChangeTheirEpochAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, three...)
		w.pass(time.Second)
		for _, name := range three {
			w.cores[name].renew()
		}
		w.pass(5 * time.Second)
		w.serves(three...)
		w.complete()
		if got := get(w.s, func(s *sink) []string { return s.epochs }); !slices.Equal(got, []string{"e1", "e2"}) {
			t.Errorf("epochs %q", got)
		}
	})
}

// An epoch begins when the sink has taken the last of the old one.
func TestAnEpochWaitsForTheSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, three...)
		w.pass(time.Second)
		// Those that come from others than the core that tells of the epoch.
		decides, at := first(three, topology.StateLog), plan(three...)
		stuck := make(chan struct{})
		w.s.stuck.Store(&hold{func(p wire.LogID) bool { return at[p] != decides }, stuck})
		w.publish()
		time.Sleep(time.Second)
		for _, name := range three {
			w.cores[name].renew()
		}
		time.Sleep(time.Second)
		if n := get(w.s, func(s *sink) int { return len(s.epochs) }); n != 1 {
			t.Errorf("%d epochs have begun while the sink was busy", n)
		}
		w.s.stuck.Store(nil)
		close(stuck)
		w.pass(5 * time.Second)
		w.serves(three...)
		w.complete()
	})
}

// Wants that wait for their marker while logs move are answered once, wherever
// they went.
func TestWantsAreAnsweredOnceWhileLogsMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, three...)
		w.pass(time.Second)
		var tokens []string
		for i := range 300 {
			state := topology.StateReady
			if i/10%2 == 0 {
				state = topology.StateDraining
			}
			if i%10 == 0 {
				w.say(three[i/20%3], state)
			}
			if i%70 == 35 {
				w.cores[three[i%3]].srv.Reset("cut")
			}
			key := wire.Key(1<<60 + i)
			tokens = append(tokens, string(rune('A'+i)))
			w.u.Want(wire.LogID(i%logs), Want{Key: key, Token: tokens[i]})
			w.publish()
			time.Sleep(7 * time.Millisecond)
		}
		w.pass(20 * time.Second)
		for _, tok := range tokens {
			if n := w.s.lives(tok); n != 1 {
				t.Errorf("%s was answered %d times", tok, n)
			}
		}
		w.complete()
		if n := w.lines.with("logs move"); n < 10 {
			t.Errorf("logs moved %d times only", n)
		}
	})
}
