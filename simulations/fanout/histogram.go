package fanout

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"
)

// A histogram has 64 buckets for each doubling, from a microsecond up to more than
// an hour: what it says of a time is at most 1.6 % above it.
const (
	perDoubling = 64
	buckets     = 27 * perDoubling
)

// histogram counts times. Safe for concurrent use.
type histogram [buckets]atomic.Int64

// bucket is where a time is counted.
func bucket(ns int64) int {
	us := uint64(max(ns, 0)) / 1000
	if us < 2*perDoubling {
		return int(us)
	}
	shift := bits.Len64(us) - 7
	return min(shift*perDoubling+int(us>>shift), buckets-1)
}

// upper is the end of a bucket, in nanoseconds.
func upper(bucket int) int64 {
	us := int64(bucket) + 1
	if bucket >= 2*perDoubling {
		shift := bucket/perDoubling - 1
		us = int64(bucket-shift*perDoubling+1) << shift
	}
	return us * 1000
}

func (h *histogram) add(ns int64) { h[bucket(ns)].Add(1) }

// counts are the buckets up to the last one that has any.
func (h *histogram) counts() []int64 {
	var out []int64
	for i := range h {
		if n := h[i].Load(); n > 0 {
			for len(out) < i {
				out = append(out, 0)
			}
			out = append(out, n)
		}
	}
	return out
}

// merge adds counts.
func merge(a, b []int64) []int64 {
	for len(a) < len(b) {
		a = append(a, 0)
	}
	for i, n := range b {
		a[i] += n
	}
	return a
}

// quantile is the least end of a bucket that this part of all does not exceed.
func quantile(counts []int64, q float64) time.Duration {
	var all, seen int64
	for _, n := range counts {
		all += n
	}
	rank := int64(math.Ceil(q * float64(all)))
	for i, n := range counts {
		if seen += n; n > 0 && seen >= rank {
			return time.Duration(upper(i))
		}
	}
	return 0
}
