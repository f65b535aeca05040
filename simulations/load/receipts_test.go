package load

import (
	"testing"
	"time"
)

func TestReceiptsAreMergedInOrder(t *testing.T) {
	one := receipts(map[int64]int64{5: 1, 3: 2})
	all := one.plus(receipts(map[int64]int64{4: 6, 9: 1}))
	if all.Count() != 10 {
		t.Errorf("%d in all", all.Count())
	}
	for q, bins := range map[float64]int64{0: 3, 0.1: 3, 0.2: 4, 0.5: 4, 0.79: 4, 0.8: 5, 0.9: 9, 1: 9} {
		if got := all.Quantile(bin, q); got != time.Duration((bins-1)*bin) {
			t.Errorf("quantile %v after %v, want %d bins", q, got, bins-1)
		}
	}
	if got := Receipts(nil).Quantile(7, 0.5); got != 0 {
		t.Errorf("of none: %v", got)
	}
}
