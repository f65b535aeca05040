package tail

import (
	"math/rand/v2"
	"testing"

	"selvedge/wire"
)

// A watermark that was stamped before the last record was appended must not
// break the order by which positions are found.
func TestLateWatermarksHideNoRecord(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		tl := New(r.IntN(4000), 0)
		for s := wire.Seq(1); s <= 40; s++ {
			tl.Append(frame(s))
			if r.IntN(3) == 0 {
				tl.Append(mark(s - min(s, wire.Seq(r.IntN(3)))))
			}
		}
		for pos := tl.Base(); pos <= 40; pos++ {
			f := tl.Follow(pos)
			got, err := f.Read(nil, 1000, 1<<20)
			f.Stop()
			if err != nil {
				t.Fatalf("read after %d, base %d: %v", pos, tl.Base(), err)
			}
			next := pos
			for _, rec := range got {
				if rec.Kind != Frame {
					continue
				}
				if next++; rec.Seq != next {
					t.Fatalf("after %d came %d, want %d", pos, rec.Seq, next)
				}
			}
			if next != 40 {
				t.Fatalf("after %d the last was %d", pos, next)
			}
		}
		if f := tl.Follow(tl.Base() - min(tl.Base(), 1)); tl.Base() > 0 {
			if _, err := f.Read(nil, 1, 1); err == nil {
				t.Fatalf("read below the base %d", tl.Base())
			}
		}
	}
}
