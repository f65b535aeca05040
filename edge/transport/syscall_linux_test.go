package transport

import (
	"runtime"
	"runtime/metrics"
	"testing"

	"golang.org/x/sys/unix"
)

func TestNearTheGoal(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		live, now, goal uint64
		near            bool
	}{
		{20 * mib, 20 * mib, 40 * mib, false},
		{20 * mib, 38*mib - spans - 1, 40 * mib, false},
		{20 * mib, 38*mib - spans, 40 * mib, true},
		{20 * mib, 41 * mib, 40 * mib, true},  // while it collects, it grows
		{20 * mib, 19 * mib, 40 * mib, false}, // some of what was live has gone
		{20 * mib, 21 * mib, 19 * mib, true},  // a memory limit is the goal
		{20 * mib, 1 << 40, ^uint64(0) >> 8, false},
	} {
		if got := near(c.live, c.now, c.goal); got != c.near {
			t.Errorf("near(%d, %d, %d) = %v", c.live, c.now, c.goal, got)
		}
	}
}

// The runtime has the metrics, and right after a collection none is near.
func TestNoCollectionIsNearAfterOne(t *testing.T) {
	keep := make([]byte, 4<<20) // so that others' allocations don't matter
	runtime.GC()
	var w heapWatch
	if w.collectsSoon() {
		t.Errorf("a collection is near after one: %v", w.samples)
	}
	for _, s := range w.samples {
		if s.Value.Kind() != metrics.KindUint64 || s.Value.Uint64() == 0 {
			t.Errorf("%s has no value", s.Name)
		}
	}
	runtime.KeepAlive(keep)
}

// The calls do the same whether the scheduler is told of them or not.
func TestCallsToldAndUntold(t *testing.T) {
	for _, told := range []bool{false, true} {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		k := calls{told: told, left: 100}
		buf := make([]byte, 8)
		if _, errno := k.read(fds[1], buf); errno != unix.EAGAIN {
			t.Errorf("told %v: read of nothing = %v", told, errno)
		}
		if n, errno := k.write(fds[0], []byte("ab")); n != 2 || errno != 0 {
			t.Errorf("told %v: write = %d, %v", told, n, errno)
		}
		iov := []unix.Iovec{{Base: &[]byte("c")[0], Len: 1}, {Base: &[]byte("de")[0], Len: 2}}
		if n, errno := k.writev(fds[0], iov); n != 3 || errno != 0 {
			t.Errorf("told %v: writev = %d, %v", told, n, errno)
		}
		if n, errno := k.read(fds[1], buf); string(buf[:max(n, 0)]) != "abcde" || errno != 0 {
			t.Errorf("told %v: read = %q, %v", told, buf[:max(n, 0)], errno)
		}
		_ = unix.Close(fds[1])
		if _, errno := k.write(fds[0], []byte("x")); errno != unix.EPIPE {
			t.Errorf("told %v: write to nobody = %v", told, errno)
		}
		_ = unix.Close(fds[0])
	}
}

// Now and then the calls look at the heap.
func TestCallsLookAtTheHeap(t *testing.T) {
	var k calls
	buf := make([]byte, 1)
	for range lookEvery + 1 {
		_, _ = k.read(-1, buf)
	}
	if k.heap.samples == nil || k.left != 0 {
		t.Fatalf("%d calls are left until the next look", k.left)
	}
	keep := make([]byte, 4<<20)
	runtime.GC()
	k.told = true
	if _, _ = k.read(-1, buf); k.told {
		t.Error("no collection is near, and the scheduler is told")
	}
	runtime.KeepAlive(keep)
}

// What a look costs.
func BenchmarkCollectsSoon(b *testing.B) {
	var w heapWatch
	b.ReportAllocs()
	for b.Loop() {
		w.collectsSoon()
	}
}
