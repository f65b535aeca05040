package log

import (
	"testing"
	"time"

	"selvedge/wire"
)

func TestRecentIDsAreKnownForAWindow(t *testing.T) {
	const window = time.Minute
	start := time.Now()
	r := newRecent(window)
	id := func(n byte) dedupID { return dedupID{n} }
	check := func(n byte, at time.Duration, want wire.Seq) {
		t.Helper()
		if seq, _ := r.find(id(n), start.Add(at)); seq != want {
			t.Errorf("after %v, id %d is at %d, want %d", at, n, seq, want)
		}
	}
	check(1, 0, 0)
	for n := range byte(10) { // one each 20 s
		at := time.Duration(n) * window / 3
		r.add(id(n), wire.Seq(n)+1, start.Add(at))
		check(n, at, wire.Seq(n)+1)
		if n >= 2 {
			check(n-2, at, wire.Seq(n)-1)
		}
		if n >= 3 {
			check(n-3, at, 0)
		}
		if known := len(r.young) + len(r.old); known > 6 {
			t.Errorf("after %v, %d ids are kept", at, known)
		}
	}
	r.add(id(99), 99, start.Add(time.Hour))
	if known := len(r.young) + len(r.old); known != 1 {
		t.Errorf("after an hour, %d ids are kept", known)
	}
}

func BenchmarkRecent(b *testing.B) {
	r := newRecent(time.Hour)
	b.ReportAllocs()
	for i := range b.N {
		id := dedupID{byte(i), byte(i >> 8), byte(i >> 16), byte(i >> 24)}
		now := time.Now()
		if _, ok := r.find(id, now); !ok {
			r.add(id, wire.Seq(i), now)
		}
	}
}
