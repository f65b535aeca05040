package linktest

import (
	"errors"
	"testing"

	"selvedge/wire"
	"selvedge/wire/link"
)

// checkHold holds a channel that nobody held before, and one that is held, and
// looks whether what comes is there.
func checkHold(t *testing.T, h *history) {
	fresh := wire.Channel("room:fresh")
	p := wire.LogOf(fresh, h.Source.Logs())
	tl := h.Source.Tail(p)
	keys := append(h.keys(p), wire.FramesKey(fresh))
	held := make(chan wire.Seq, 1)
	h.Source.Hold(p, tl, keys, tl.End(), func(from wire.Seq) { held <- from })
	from := <-held
	if from > tl.End() {
		t.Fatalf("a channel is held from %d on, and the log ends at %d", from, tl.End())
	}
	h.Source.Release(p, tl, h.keys(p)) // they are held by another, still
	f := tl.Follow(tl.End())
	defer f.Stop()
	want := []wire.Seq{}
	for _, ch := range append(h.channels, fresh) {
		if at, seq := h.Publish(ch); at == p {
			want = append(want, seq)
		}
	}
	records, err := f.Read(nil, 100, 1<<20)
	if err != nil || len(records) != len(want) {
		t.Fatalf("%d records came, want %d (%v)", len(records), len(want), err)
	}
	for i, r := range records {
		if r.Seq != want[i] {
			t.Errorf("record %d came, want %d", r.Seq, want[i])
		}
	}
}

// checkElsewhere reads what a relay has not.
func checkElsewhere(t *testing.T, h *history) {
	for p := range h.followers {
		if _, _, _, err := h.Source.Read(t.Context(), p, 0, func([2]wire.Key) bool { return true }); !errors.Is(err, link.ErrElsewhere) {
			t.Errorf("reading log %d: %v, want ErrElsewhere", p, err)
		}
	}
}
