package session

import (
	"testing"
	"time"

	"selvedge/wire"
)

// A turn bounds what was noted until its end, and nothing later; one that is long past
// is bounded by the oldest that is remembered.
func TestTurns(t *testing.T) {
	var b begun
	now := time.Unix(1000, 0)
	at := func(seqs ...wire.Seq) []wire.Seq { return seqs }
	if !b.passed(at(0, 0), 0) {
		t.Error("nothing has begun, and it was not passed")
	}
	var turns []turn
	for i := range wire.Seq(2 * maxTurns) {
		b.note(0, 10+i)
		b.note(1, 10)
		turns = append(turns, b.done(2, now))
		now = now.Add(turnTime)
	}
	for i, turn := range turns {
		ends := max(10+wire.Seq(i), 10+maxTurns)
		if !b.passed(at(ends, 10), turn) || b.passed(at(ends-1, 10), turn) || b.passed(at(ends, 9), turn) {
			t.Errorf("turn %d of %d does not end at %d", i, len(turns), ends)
		}
	}
	// What is noted in a turn that has not ended is bounded by what is to come.
	early, late := b.done(2, now), b.done(2, now)
	b.note(1, 500)
	if early == late || !b.passed(at(1000, 10), early) || b.passed(at(1000, 499), late) || !b.passed(at(1000, 500), late) {
		t.Errorf("turns %d and %d", early, late)
	}
	b.reset()
	if !b.passed(at(0, 0), b.done(2, now)) {
		t.Error("there is something left of other logs")
	}
}
