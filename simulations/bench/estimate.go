package bench

import (
	"fmt"
	"math"
	"slices"
)

// Estimate is a median and the interval in which the true one lies, by order
// statistics: nothing is assumed of how the values are spread (Hahn and Meeker,
// Statistical Intervals, section 5.2).
type Estimate struct {
	Median     float64   `json:"median"`
	Low        float64   `json:"low"`
	High       float64   `json:"high"`
	Confidence float64   `json:"confidence"` // that the interval has it, 0 to 1
	Values     []float64 `json:"values"`     // in the order in which they were measured
}

// String is the median with its interval, if there is one.
func (e *Estimate) String() string {
	if len(e.Values) < 2 {
		return fmt.Sprintf("%.2f", e.Median)
	}
	return fmt.Sprintf("%.2f [%.2f, %.2f]", e.Median, e.Low, e.High)
}

// wanted is the confidence that an interval shall have.
const wanted = 0.95

// estimate is the Estimate of values; of none it is zero. With fewer than 6
// values the widest interval is less sure than is wanted, as Confidence tells.
func estimate(values []float64) Estimate {
	n := len(values)
	if n == 0 {
		return Estimate{}
	}
	sorted := slices.Sorted(slices.Values(values))
	e := Estimate{Median: median(sorted), Low: sorted[0], High: sorted[n-1], Confidence: confidence(n, 0), Values: values}
	for k := 1; 2*k < n-1; k++ {
		sure := confidence(n, k)
		if sure < wanted {
			break
		}
		e.Low, e.High, e.Confidence = sorted[k], sorted[n-1-k], sure
	}
	return e
}

// median is that of sorted values, of which there is one at least.
func median(sorted []float64) float64 {
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// confidence is the probability that a median lies between n values of which k
// are left out at each end: that more than k of them, and fewer than n-k, are
// below it.
func confidence(n, k int) float64 {
	outside := 0.0
	choose := 1.0
	for i := range k + 1 {
		outside += choose
		choose = choose * float64(n-i) / float64(i+1)
	}
	return 1 - 2*outside/math.Pow(2, float64(n))
}

// quantile is the value below which a share q of sorted values lies; of none it
// is zero.
func quantile[N ~int64 | ~float64](sorted []N, q float64) N {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// ratios divides pair by pair.
func ratios(ours, floor []float64) []float64 {
	out := make([]float64, min(len(ours), len(floor)))
	for i := range out {
		out[i] = ours[i] / floor[i]
	}
	return out
}
