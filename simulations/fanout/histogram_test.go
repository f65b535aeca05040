package fanout

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestBuckets(t *testing.T) {
	before := int64(0)
	for i := range buckets {
		if upper(i) <= before {
			t.Fatalf("bucket %d ends at %d ns, the one before at %d", i, upper(i), before)
		}
		if bucket(upper(i)-1) != i || i+1 < buckets && bucket(upper(i)) != i+1 {
			t.Fatalf("bucket %d ends at %d ns, but %d is in %d and %d in %d", i, upper(i), upper(i)-1, bucket(upper(i)-1), upper(i), bucket(upper(i)))
		}
		if width := upper(i) - before; i >= 2*perDoubling && float64(width) > 0.016*float64(before) {
			t.Fatalf("bucket %d is %d ns wide at %d", i, width, before)
		}
		before = upper(i)
	}
	if bucket(-5) != 0 || bucket(math.MaxInt64) != buckets-1 || upper(buckets-1) < int64(time.Hour) {
		t.Errorf("ends: %d, %d, %v", bucket(-5), bucket(math.MaxInt64), time.Duration(upper(buckets-1)))
	}
}

// Against sorting all times.
func TestQuantiles(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var h, other histogram
	var all []int64
	for i := range 5000 {
		ns := int64(math.Exp(r.Float64()*16) * 1000)
		all = append(all, ns)
		if i%2 == 0 {
			h.add(ns)
		} else {
			other.add(ns)
		}
	}
	counts := merge(merge(nil, h.counts()), other.counts())
	slices.Sort(all)
	for _, q := range []float64{0.001, 0.5, 0.95, 0.99, 1} {
		exact := float64(all[int(math.Ceil(q*5000))-1])
		if got := float64(quantile(counts, q)); got < exact || got > exact*1.016+1000 {
			t.Errorf("quantile %v is %v, exactly %v", q, got, exact)
		}
	}
	exact, told := times(all), counted(counts, slices.Max(all))
	if told.N != exact.N || told.Max != exact.Max || told.P99 > exact.Max || math.Abs(told.P50/exact.P50-1) > 0.02 {
		t.Errorf("%+v, exactly %+v", told, exact)
	}
	if quantile(nil, 0.5) != 0 || counted(nil, 0) != (Times{}) || times(nil) != (Times{}) {
		t.Error("of nothing there is something")
	}
}
