package netsim

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// Whatever times are asked for, in whatever order, the wire is woken at each.
func TestTheAlarmRings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		kick := make(chan struct{}, 1)
		a := alarm{timer: time.NewTimer(time.Hour), runs: true, ring: func() {
			select {
			case kick <- struct{}{}:
			default:
			}
		}}
		a.timer.Reset(0)
		want := []time.Duration{7, 3, 9, 1, 9, 4, 20, 15}
		var got []time.Duration
		pending := slices.Clone(want)
		for _, at := range want { // each is earlier or later than what is set
			a.set(begin.Add(at * time.Second).UnixNano())
		}
		for len(pending) > 0 {
			select {
			case <-a.timer.C:
				a.runs = false
			case <-kick:
			}
			at := time.Since(begin) / time.Second
			pending = slices.DeleteFunc(pending, func(d time.Duration) bool {
				if d == at {
					got = append(got, d)
				}
				return d <= at
			})
			if len(pending) > 0 { // as the wire does, which has its events in a heap
				a.set(begin.Add(slices.Min(pending) * time.Second).UnixNano())
			}
		}
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("woken for %v, want %v", got, want)
		}
		if len(a.due) > 3 {
			t.Errorf("%d times are kept", len(a.due))
		}
	})
}
