package upstream

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/topology"
	"selvedge/wire"
	"selvedge/wire/link"
)

// answers makes each core say in Next who it is, after some time.
func (w *world) answers(after time.Duration) {
	for name, c := range w.cores {
		c.mu.Lock()
		c.answer = func(ctx context.Context, _ string, q *wire.Query) *wire.Answer {
			select {
			case <-ctx.Done():
			case <-time.After(after):
			}
			a := &wire.Answer{Epoch: c.Epoch(), Next: name}
			for i, ch := range q.Chs {
				a.Fills = append(a.Fills, wire.Fill{Ch: ch, Floor: q.Afters[i], Upto: q.Uptos[i], Gone: wire.Seq(name[len(name)-1])})
			}
			return a
		}
		c.mu.Unlock()
	}
}

// A question goes to the core that serves the log that it is about, a publish to
// the nearest.
func TestWhoIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, three...)
		w.pass(time.Second)
		w.answers(0)
		ch := w.chs[0]
		p := int(wire.LogOf(ch, logs))
		for _, c := range []struct {
			q    *wire.Query
			want string
		}{
			{&wire.Query{T: wire.QPublish, Ch: ch}, "core-a"},
			{&wire.Query{T: wire.QHistory, Ch: ch}, first(three, p)},
			{&wire.Query{T: wire.QFill, Chs: []wire.Channel{ch}, Afters: []wire.Seq{0}, Uptos: []wire.Seq{0}}, first(three, p)},
			{&wire.Query{T: wire.QMembers}, first(three, topology.StateLog)},
			{&wire.Query{T: wire.QHello, P: wire.StateLog}, first(three, topology.StateLog)},
		} {
			if a, err := w.u.Query(t.Context(), c.q); err != nil || a.Next != c.want {
				t.Errorf("%s is answered by %+v, %v; want %s", c.q.T, a, err, c.want)
			}
		}
		w.say("core-a", "")
		w.cores["core-a"].stop()
		w.pass(time.Second)
		if a, err := w.u.Query(t.Context(), &wire.Query{T: wire.QPublish, Ch: ch}); err != nil || a.Next != "core-b" {
			t.Errorf("then a publish is answered by %+v, %v", a, err)
		}
	})
}

// A fill of many channels is answered by each core for its own, in the order
// asked for.
func TestAFillAsksEachCoreForItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, three...)
		w.pass(time.Second)
		w.answers(0)
		q := &wire.Query{T: wire.QFill}
		for i, ch := range w.chs {
			q.Chs, q.Afters, q.Uptos = append(q.Chs, ch), append(q.Afters, wire.Seq(i)), append(q.Uptos, wire.Seq(2*i))
		}
		a, err := w.u.Query(t.Context(), q)
		if err != nil || len(a.Fills) != len(w.chs) || a.Epoch != "e1" {
			t.Fatalf("%+v, %v", a, err)
		}
		for i, f := range a.Fills {
			by := first(three, int(wire.LogOf(w.chs[i], logs)))
			if f.Ch != w.chs[i] || f.Floor != wire.Seq(i) || f.Upto != wire.Seq(2*i) || f.Gone != wire.Seq(by[len(by)-1]) {
				t.Errorf("%s is filled by %+v, want %s", w.chs[i], f, by)
			}
		}
		for _, name := range three {
			if n := w.cores[name].asked(); n != 1 {
				t.Errorf("%s was asked %d times", name, n)
			}
		}
	})
}

// A question whose marker was on a log that moves is answered where the log went.
func TestAQueryWithAMarkerFollowsItsLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, three...)
		w.pass(time.Second)
		w.answers(30 * time.Second)
		decides := first(three, topology.StateLog)
		number := make(chan uint64, 1)
		w.u.Want(wire.StateLog, Want{Key: 1, Since: link.Live, Token: "x", Sent: func(id uint64) { number <- id }})
		marker := <-number
		got := make(chan string, 1)
		go func() {
			a, err := w.u.Query(t.Context(), &wire.Query{T: wire.QHello, P: wire.StateLog, Marker: marker})
			if err != nil {
				t.Error(err)
				got <- ""
				return
			}
			got <- a.Next
		}()
		time.Sleep(time.Second)
		w.answers(0)
		w.say(decides, topology.StateDraining)
		time.Sleep(time.Second)
		select {
		case who := <-got:
			if want := first(without(three, decides), topology.StateLog); who != want {
				t.Errorf("answered by %q, want %s", who, want)
			}
		default:
			t.Error("the question still waits at the core that was left")
		}
	})
}

// A session that waits for a link asks in the moment that there is one: it must
// be answered from after its interest, never refused because the link is young.
func TestAQueryWithAMarkerIsAnsweredOnEveryYoungLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "core-a")
		number := make(chan uint64, 1)
		w.u.Want(wire.StateLog, Want{Key: 1, Since: link.Live, Token: "x", Sent: func(id uint64) { number <- id }})
		marker := <-number
		for range 50 {
			links := w.s.links()
			w.cores["core-a"].srv.Reset("cut")
			until(t, "the cut", func() bool { return get(w.s, func(s *sink) int { return s.cuts }) >= links })
			a, err := w.u.Query(t.Context(), &wire.Query{T: wire.QHello, P: wire.StateLog, Marker: marker})
			if err != nil || a.Err != nil {
				t.Fatalf("after %d links: %+v, %v", w.s.links(), a, err)
			}
		}
	})
}

// An answer of another epoch than its link's is nobody's: it may be of frames
// that have the same numbers.
func TestAnAnswerOfAnotherEpochIsNotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, three...)
		w.pass(time.Second)
		for _, c := range w.cores {
			c.mu.Lock()
			c.epoch = "e2" // and the links don't know yet
			c.mu.Unlock()
		}
		for _, q := range []*wire.Query{
			{T: wire.QHistory, Ch: w.chs[0]},
			{T: wire.QRooms},
			{T: wire.QPublish, Ch: w.chs[0], MsgID: "m"},
			{T: wire.QFill, Chs: w.chs[:2], Afters: []wire.Seq{0, 0}, Uptos: []wire.Seq{1, 1}},
		} {
			if a, err := w.u.Query(t.Context(), q); !errors.Is(err, ErrUnavailable) {
				t.Errorf("%s: %+v, %v", q.T, a, err)
			}
		}
	})
}

// While a log is nowhere, questions about the others are answered.
func TestALogThatIsNowhereHoldsUpNoQuestionsOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, three...)
		w.pass(time.Second)
		lost := wire.LogOf(w.chs[0], logs)
		w.s.mu.Lock()
		w.s.pos[lost] += 1000 // nobody has it
		w.s.mu.Unlock()
		for _, name := range three {
			w.cores[name].srv.Reset("cut")
		}
		time.Sleep(10 * time.Second)
		for _, ch := range w.chs {
			if wire.LogOf(ch, logs) == lost {
				continue
			}
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			if _, err := w.u.Query(ctx, &wire.Query{T: wire.QHistory, Ch: ch}); err != nil {
				t.Errorf("%s: %v", ch, err)
			}
			cancel()
		}
	})
}

// Signals go to the core that serves their channel's log, and come from any.
func TestSignalsGoToTheCoreOfTheirLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, three...)
		w.pass(time.Second)
		want := map[string]int{}
		for _, ch := range w.chs {
			want[first(three, int(wire.LogOf(ch, logs)))]++
			if err := w.u.Signal(&wire.Signal{T: wire.TSignal, Ch: ch, Data: wire.Data{1}}); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(time.Second)
		for _, name := range three {
			c := w.cores[name]
			c.mu.Lock()
			n := len(c.signals)
			c.mu.Unlock()
			if n != want[name] || n == 0 {
				t.Errorf("%s got %d signals, want %d", name, n, want[name])
			}
		}
	})
}
