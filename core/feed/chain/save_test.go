package chain

import (
	"fmt"
	"testing"

	"selvedge/wire"
)

// The log may jump far ahead while a save writes its pages: what is in memory then
// is not what the save wrote, and none of it may be let go for it.
func TestJumpWhileSaving(t *testing.T) {
	for _, after := range []int{1, 3 * pageLen} { // frames that came since the jump
		t.Run(fmt.Sprint(after), func(t *testing.T) {
			c := Open(Config{Dir: t.TempDir(), Epoch: "e"})
			t.Cleanup(func() { _ = c.pages.close() })
			const before = 2*pageLen + 7
			want := map[wire.Seq]wire.Seq{}
			add := func(seq wire.Seq) { want[seq] = c.Add(wire.Key(seq%3)<<60, seq, 1) }
			for s := wire.Seq(1); s <= before; s++ {
				add(s)
			}
			// As Save does, with the jump in its midst.
			written, prevs := c.written, append([]uint64(nil), c.recent...)
			if err := c.pages.write(uint64(written/pageLen), prevs); err != nil {
				t.Fatal(err)
			}
			for i := range after {
				add(before + 2*longHole + wire.Seq(i))
			}
			c.letGo(written, len(prevs)/pageLen*pageLen)
			r := c.Reader()
			for seq, prev := range want {
				if got, ok := r.Prev(seq); !ok || got != prev {
					t.Fatalf("prev of %d is %d, %v; want %d", seq, got, ok, prev)
				}
			}
			if prev, ok := r.Prev(before + 1); ok {
				t.Errorf("prev of %d, which was not seen, is %d", before+1, prev)
			}
		})
	}
}
