package load

import (
	"cmp"
	"slices"
	"time"
)

// bin is how exact the moments of receipts are, in nanoseconds.
const bin = 10_000

// Receipts are how many messages came when, in order.
type Receipts []Receipt

// Receipt is some messages that came within 10 us.
type Receipt struct {
	At int64 `json:"at"` // Now, 10 us before their end at most
	N  int64 `json:"n"`
}

func receipts(times map[int64]int64) Receipts {
	if len(times) == 0 {
		return nil
	}
	out := make(Receipts, 0, len(times))
	for at, n := range times {
		out = append(out, Receipt{at * bin, n})
	}
	return out.sort()
}

func (r Receipts) sort() Receipts {
	slices.SortFunc(r, func(a, b Receipt) int { return cmp.Compare(a.At, b.At) })
	return r
}

// plus is both, in order.
func (r Receipts) plus(o Receipts) Receipts { return slices.Concat(r, o).sort() }

// Count is how many messages there are.
func (r Receipts) Count() (n int64) {
	for _, one := range r {
		n += one.N
	}
	return n
}

// Quantile is the time from start (Now) within which a share q of the messages
// came; of none it is zero.
func (r Receipts) Quantile(start int64, q float64) time.Duration {
	rank := int64(q * float64(r.Count()))
	for _, one := range r {
		if rank -= one.N; rank < 0 {
			return time.Duration(one.At - start)
		}
	}
	if len(r) == 0 {
		return 0
	}
	return time.Duration(r[len(r)-1].At - start)
}
