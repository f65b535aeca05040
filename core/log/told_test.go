package log

import (
	"testing"

	"selvedge/wire"

	"github.com/google/go-cmp/cmp"
)

type told struct {
	P   wire.LogID
	ID  dedupID
	Seq wire.Seq
}

func allTold(b []byte, epoch string, logs int) (out []told) {
	eachTold(b, epoch, logs, func(p wire.LogID, id dedupID, seq wire.Seq) { out = append(out, told{p, id, seq}) })
	return out
}

func TestWhatIsToldIsHeard(t *testing.T) {
	t.Parallel()
	const epoch = "abcdefghij"
	want := []told{{0, dedupID{1}, 1}, {3, dedupID{2, 15: 9}, 1 << 40}}
	b := []byte(epoch)
	for _, w := range want {
		b = appendTold(b, w.P, w.ID, w.Seq)
	}
	if diff := cmp.Diff(want, allTold(b, epoch, 4)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := allTold(b, epoch, 3); len(got) != 1 {
		t.Errorf("of a log that isn't there: %v", got)
	}
	if got := allTold(b, "other67890", 4); got != nil {
		t.Errorf("of another epoch: %v", got)
	}
	for n := range b {
		if got, whole := len(allTold(b[:n], epoch, 4)), max(0, n-toldHead)/toldEach; got != whole {
			t.Errorf("%d of %d bytes tell %d, want %d", n, len(b), got, whole)
		}
	}
}

func FuzzTold(f *testing.F) {
	f.Add(appendTold([]byte("abcdefghij"), 1, dedupID{1}, 7))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, e := range allTold(b, "abcdefghij", 4) {
			if e.P >= 4 || e.Seq == 0 {
				t.Errorf("%+v", e)
			}
		}
	})
}
