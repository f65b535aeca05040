package load

import (
	"testing"
	"time"
)

func TestARoundEndsWithItsLastFrame(t *testing.T) {
	var tally tally
	for range 2 { // a second round begins anew
		tally.expect(5, false)
		for i, frames := range []int64{2, 2} {
			tally.got(frames, 10*frames)
			if w := tally.outcome(); w.Complete || w.Frames != int64(2*i+2) {
				t.Fatalf("after %d reads of 2 frames: %+v", i+1, w)
			}
		}
		before := Now()
		tally.got(1, 10)
		w, err := tally.await(t.Context(), time.Hour)
		if err != nil || !w.Complete || w.Frames != 5 || w.Bytes != 50 || w.End < before || w.End > Now() {
			t.Fatalf("%+v (%v)", w, err)
		}
	}
	tally.got(1, 10) // one too many
	if w := tally.outcome(); w.Frames != 6 {
		t.Errorf("%+v", w)
	}
	if s := tally.stats(); s.Frames != 11 {
		t.Errorf("%+v", s)
	}
	tally.expect(0, false)
	if w, err := tally.await(t.Context(), time.Hour); err != nil || !w.Complete {
		t.Errorf("nothing to expect: %+v (%v)", w, err)
	}
}
