package fanout

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"
)

// Members against a plain list of them: any slots in any order come and go.
func FuzzMembers(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 1, 255, 255, 255, 255})
	f.Add([]byte{0, 1, 0, 0, 0, 0, 200, 0, 0, 0, 0, 3, 0, 0, 0, 2, 1, 0, 0, 0, 0, 2, 0, 0, 0, 2, 2, 0, 0, 0, 2, 0, 0, 0, 0, 0, 9, 0, 0, 0})
	f.Add([]byte{0, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 127, 1, 255, 0, 0, 0})
	f.Fuzz(func(t *testing.T, text []byte) {
		var m members
		var plain []slot
		for len(text) >= 5 {
			op, n := text[0], slot(binary.LittleEndian.Uint32(text[1:]))
			text = text[5:]
			switch {
			case op%4 == 2 && len(plain) > 0: // the first one like any that is there
				if op%8 == 2 {
					n = plain[int(n)%len(plain)]
				}
				i := slices.Index(plain, n)
				if got := m.remove(n); got != (i >= 0) {
					t.Fatalf("%d is removed: %v, want %v", n, got, i >= 0)
				}
				if i >= 0 {
					plain = slices.Delete(plain, i, i+1)
				}
			case op%4 == 1:
				gone := func(s slot) bool { return s%7 == n%7 || s == n }
				plain = slices.DeleteFunc(plain, gone)
				m.delete(gone)
			default:
				m.add(n)
				plain = append(plain, n)
			}
			if got := slices.Collect(m.all()); !slices.Equal(got, plain) || int(m.n) != len(plain) {
				t.Fatalf("%d members %v, want %v", m.n, got, plain)
			}
		}
	})
}

// What a member takes: slots as a storm gives them, in a large room and a small
// one; and the widest that there are.
func TestMembersAreSmall(t *testing.T) {
	for _, test := range []struct {
		step, n slot
		most    int // bytes a member, spare room included
	}{{1, 5000, 2}, {100, 50, 3}, {math.MaxUint32, 2, 32}} {
		var m members
		for i := range test.n {
			m.add(i * test.step)
		}
		if got := cap(m.list); got > test.most*int(m.n) {
			t.Errorf("%d members, each %d from the one before, take %d bytes", m.n, test.step, got)
		}
	}
}
