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
	w, err := tl.await(t.Context(), 140, time.Second)
	if err != nil || w.Receipts != 140 || w.Doubled != 0 || len(w.Last) != 70 || time.Duration(w.Last[69]) < time.Minute {
		t.Fatalf("%+v, %v", w, err)
	}
	if p := counted(w.Took, w.Last[0]); p.N != 140 || p.P50 < 1000 || p.P95 < 60_000 {
		t.Errorf("%+v", p)
	}
	subs[0].receive(text(1, 3, 0))
	if w, err := tl.await(t.Context(), 140, time.Second); err != nil || w.Receipts != 140 || w.Doubled != 1 {
		t.Errorf("after one came twice: %+v, %v", w, err)
	}
	tl.begin(2, 1)
	subs[0].receive([]byte("a cursor"))
	subs[0].receive(text(1, 69, 0)) // of the round before
	subs[0].receive(text(2, 1, 0))  // one that isn't of this round
	subs[1].receive(text(2, 0, 0))
	if w, err := tl.await(t.Context(), 1, time.Second); err != nil || w.Receipts != 1 || w.Doubled != 0 || tl.stray.Load() != 3 {
		t.Errorf("in the next round: %+v, %v, %d stray", w, err, tl.stray.Load())
	}
	subs[1].receive(text(2, 0, 0)[:150])
	if _, err := tl.await(t.Context(), 1, time.Second); err == nil {
		t.Error("half a payload passes")
	}
}

func TestAWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tl := &tally{payloads: newPayloads(200)}
		if _, err := tl.await(t.Context(), 1, time.Second); err == nil {
			t.Error("without a round")
		}
		tl.begin(1, 2)
		sub := &subscriber{tally: tl, round: -1}
		go func() {
			for n := range int64(2) {
				time.Sleep(700 * time.Millisecond)
				sub.receive(tl.payloads.text(stamp{round: 1, n: n, at: load.Now()}))
			}
		}()
		start := time.Now()
		w, err := tl.await(t.Context(), 3, time.Second)
		if took := time.Since(start); err != nil || w.Receipts != 2 || took < 2400*time.Millisecond || took > 2500*time.Millisecond {
			t.Errorf("%+v, %v after %v: each receipt gives another second", w, err, took)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := tl.await(ctx, 3, time.Hour); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	})
}
