package storm

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/simulations/netsim"
	"selvedge/simulations/world"
)

// What takes its time is begun at each step all the same.
func TestEvery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2100*time.Millisecond)
		defer cancel()
		var at []time.Duration
		begin := time.Now()
		every(ctx, 500*time.Millisecond, func() {
			at = append(at, time.Since(begin).Round(time.Millisecond))
			_ = wait(ctx, 400*time.Millisecond)
		})
		if want := []time.Duration{0, 5e8, 10e8, 15e8, 20e8}; !slices.Equal(at, want) {
			t.Errorf("%v, want %v", at, want)
		}
	})
}

// Clients that never come are told, and with them what should never have happened, if
// anything.
func TestWhoWaitsForTheOfficeGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &office{Office: &Office{Clients: 3}, w: &world.World{Net: netsim.New(netsim.Config{})}}
		defer o.w.Net.Close()
		o.rec = newRecord(o.w.Net.Since)
		never := func() bool { return false }
		if err := o.until(t.Context(), "all are back", never); err == nil || !strings.HasSuffix(err.Error(), "all are back; 0 of 3 clients were welcome, 0 are away") {
			t.Errorf("%v", err)
		}
		o.rec.fail(errStrange)
		if err := o.until(t.Context(), "all are back", never); err == nil || !strings.Contains(err.Error(), "0 of 3") || !strings.Contains(err.Error(), errStrange.Error()) {
			t.Errorf("%v", err)
		}
	})
}
