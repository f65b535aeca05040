package mega

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strconv"
	"time"
)

// Spread is values in the order in which they were measured.
type Spread struct {
	Median float64   `json:"median"`
	Min    float64   `json:"min"`
	Max    float64   `json:"max"`
	Values []float64 `json:"values"`
}

// spread is that of values; of none it is zero.
func spread(values []float64) Spread {
	if len(values) == 0 {
		return Spread{Values: []float64{}}
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return Spread{Median: (sorted[(n-1)/2] + sorted[n/2]) / 2, Min: sorted[0], Max: sorted[n-1], Values: values}
}

func (s Spread) String() string {
	if len(s.Values) < 2 {
		return figure(s.Median)
	}
	return fmt.Sprintf("%s [%s to %s]", figure(s.Median), figure(s.Min), figure(s.Max))
}

// figure is a number of three places or more.
func figure(v float64) string {
	switch a := math.Abs(v); {
	case a >= 100 || a == 0:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

// short is a number without the places that it doesn't need.
func short(v float64) string { return strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64) }

// millis is d in milliseconds.
func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// per is d per n, in microseconds; at least zero, since an idle machine's work was
// taken off.
func per(d time.Duration, n int) float64 { return max(float64(d)/1e3/float64(n), 0) }

// cpus is how many this machine has.
func cpus() int { return runtime.NumCPU() }
