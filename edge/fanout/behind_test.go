package fanout

import (
	"testing"
	"testing/synctest"
	"time"
)

// How far an engine is behind is told while a batch waits, while the shard is at
// it, and once after that.
func TestBehind(t *testing.T) {
	bubble(t, rigConfig{}, func(r *rig) {
		ask := func(what string, want time.Duration) {
			t.Helper()
			synctest.Wait()
			if got := r.e.Behind(); got != want {
				t.Errorf("%s: behind by %v, want %v", what, got, want)
			}
		}
		ch := room(0, 0)
		r.publish(ch, 3)
		ask("at once", 0)

		stall := func() { r.e.each(func(*shard) { <-time.After(time.Second) }) }
		stall()
		synctest.Wait()
		pass(200 * time.Millisecond)
		r.publish(ch, 1)
		pass(300 * time.Millisecond)
		ask("it waits behind something else", 300*time.Millisecond)
		pass(time.Second)
		ask("written", 800*time.Millisecond)
		ask("asked again", 0)

		r.publish(ch, 1)
		stall()
		pass(400 * time.Millisecond)
		r.publish(ch, 1)
		pass(5 * time.Second)
		if got := r.e.Behind(); got < 600*time.Millisecond || got > time.Second {
			t.Errorf("behind by %v, want that of the slower of two batches", got)
		}
	})
}
