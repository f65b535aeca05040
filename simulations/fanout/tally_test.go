package fanout

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/simulations/load"
)

func TestReceiptsAreCounted(t *testing.T) {
	tl := &tally{payloads: newPayloads(200)}
	subs := []*subscriber{{tally: tl, round: -1}, {tally: tl, round: -1}}
	text := func(round, n int64, ago time.Duration) []byte {
		return tl.payloads.text(stamp{round: round, n: n, at: load.Now() - int64(ago)})
	}
	subs[0].receive(text(1, 0, 0)) // before any round
	tl.begin(1, 70)
	for n := range int64(70) {
		subs[0].receive(text(1, n, time.Second))
		subs[1].receive(text(1, n, time.Minute))
	}
	told := func(from, to int64) word {
		t.Helper()
		if err := tl.await(t.Context(), from, to, 2, time.Second); err != nil {
			t.Fatal(err)
		}
		w, err := tl.tell()
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	// What came before any round is nobody's.
	w := told(0, 70)
	if w.Receipts != 140 || w.Late != 0 || w.Doubled != 1 || len(w.Last) != 70 || time.Duration(w.Last[69]) < time.Minute {
		t.Fatalf("%+v", w)
	}
	if p := counted(w.Took, w.Last[0]); p.N != 140 || p.P50 < 1000 || p.P95 < 60_000 {
		t.Errorf("%+v", p)
	}
	// What comes twice after all has come is told, once.
	subs[0].receive(text(1, 3, 0))
	if w := told(0, 70); w.Receipts != 140 || w.Doubled != 1 {
		t.Errorf("after one came twice: %+v", w)
	}
	if w := told(0, 70); w.Receipts != 140 || w.Doubled != 0 {
		t.Errorf("told again: %+v", w)
	}
	// Also if it comes when the next round has begun.
	subs[0].receive(text(1, 4, 0))
	tl.begin(2, 1)
	subs[0].receive([]byte("a cursor"))
	subs[0].receive(text(1, 69, 0)) // of the round before
	subs[0].receive(text(2, 1, 0))  // one that isn't of this round
	subs[0].receive(text(2, 0, 0))
	subs[1].receive(text(2, 0, 0))
	if w := told(0, 1); w.Receipts != 2 || w.Late != 0 || w.Doubled != 3 {
		t.Errorf("in the next round: %+v", w)
	}
	subs[1].receive(text(2, 0, 0)[:150])
	if err := tl.await(t.Context(), 0, 1, 2, time.Second); err == nil {
		t.Error("half a payload passes")
	}
	if _, err := tl.tell(); err == nil {
		t.Error("half a payload is not told")
	}
}

// What comes when nobody waits for it any more is late, and not lost.
func TestWhatIsLateIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tl := &tally{payloads: newPayloads(200)}
		tl.begin(1, 3)
		sub := &subscriber{tally: tl, round: -1}
		await := func(from, to int64) {
			t.Helper()
			if err := tl.await(t.Context(), from, to, 1, time.Second); err != nil {
				t.Fatal(err)
			}
		}
		receive := func(n int64) { sub.receive(tl.payloads.text(stamp{round: 1, n: n, at: load.Now()})) }
		await(0, 1) // in vain
		receive(1)
		receive(0)
		start := time.Now()
		await(1, 2)
		if took := time.Since(start); took > 0 {
			t.Errorf("it was there, and was waited for %v", took)
		}
		await(2, 3) // in vain
		await(0, 3)
		if w, err := tl.tell(); err != nil || w.Receipts != 2 || w.Late != 1 || w.Doubled != 0 {
			t.Errorf("%+v, %v", w, err)
		}
		receive(2)
		if w, err := tl.tell(); err != nil || w.Receipts != 3 || w.Late != 2 || w.Doubled != 0 {
			t.Errorf("%+v, %v", w, err)
		}
	})
}

func TestAWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tl := &tally{payloads: newPayloads(200)}
		if err := tl.await(t.Context(), 0, 1, 1, time.Second); err == nil {
			t.Error("without a round")
		}
		if _, err := tl.tell(); err == nil {
			t.Error("told without a round")
		}
		tl.begin(1, 3)
		sub := &subscriber{tally: tl, round: -1}
		go func() {
			for n := range int64(2) {
				time.Sleep(700 * time.Millisecond)
				sub.receive(tl.payloads.text(stamp{round: 1, n: n, at: load.Now()}))
			}
		}()
		start := time.Now()
		err := tl.await(t.Context(), 0, 3, 1, time.Second)
		w, _ := tl.tell()
		if took := time.Since(start); err != nil || w.Receipts != 2 || took < 2400*time.Millisecond || took > 2500*time.Millisecond {
			t.Errorf("%+v, %v after %v: each receipt gives another second", w, err, took)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := tl.await(ctx, 0, 3, 1, time.Hour); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	})
}
