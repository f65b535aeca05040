package fanout

import (
	"math"
	"slices"
	"time"
)

// Times are what times are told by, in milliseconds; of none, all is zero.
type Times struct {
	N   int64   `json:"n"`
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// Row is what one tier did for so many gateways, in one mode.
type Row struct {
	Tier string `json:"tier"`
	N    int    `json:"n"`    // gateways
	Mode string `json:"mode"` // "single", or "10/s" and the like
	Rate int    `json:"rate"` // publishes/s that were due; 0 = one at a time, the next after the last receipt

	Publishes int   `json:"publishes"`
	Receipts  int64 `json:"receipts"`
	Lost      int64 `json:"lost"`
	Late      int64 `json:"late"` // of the receipts, not of the lost: nothing had come at their process for as long as the patience
	Doubled   int64 `json:"doubled"`
	Relinked  int64 `json:"relinked"`  // connections that broke, or left the core for their relay, and resumed elsewhere or there; since the row before
	Astray    int64 `json:"astray"`    // the most links that were at the core instead of their relay, when publishes were through
	CutShort  bool  `json:"cut_short"` // fewer were published than in the time at the rate: see Scenario.MaxWork

	// From the moment of a publish, or the one in which it was due if its publisher
	// was late.
	Receipt Times `json:"receipt_ms"` // each receipt; 1.6 % too long at most
	Last    Times `json:"last_ms"`    // the last receipt of each publish

	// CPU is of user and kernel, without what the processes use when nothing is
	// published.
	Wall         float64   `json:"wall_s"`                    // what it was counted over
	CentreCPU    float64   `json:"centre_cpu_us_per_publish"` // of all Redis nodes, or of the core
	CentreByNode []float64 `json:"centre_cpu_us_by_node"`     // the same, of each process
	RelaysCPU    float64   `json:"relays_cpu_us_per_publish"` // of all edge processes
	ClientsCPU   float64   `json:"clients_cpu_us_per_receipt"`
	PublisherCPU float64   `json:"publisher_cpu_us_per_publish"` // of the simulation itself

	CentreBytes   float64 `json:"centre_bytes_per_publish"`
	RelaysBytes   float64 `json:"relays_bytes_per_publish"`
	LoopbackBytes float64 `json:"loopback_bytes_per_publish"`
}

// Idle is what a tier takes when all are connected and nothing is published.
type Idle struct {
	Tier    string  `json:"tier"`
	N       int     `json:"n"`
	Connect float64 `json:"connect_s"` // to connect all
	Centre  float64 `json:"centre_cpu_ms_per_s"`
	Relays  float64 `json:"relays_cpu_ms_per_s"`
	Clients float64 `json:"clients_cpu_ms_per_s"`
	RSS     int64   `json:"centre_rss_bytes"` // of all its processes
}

// times tells exact times, which it sorts.
func times(all []int64) Times {
	slices.Sort(all)
	if len(all) == 0 {
		return Times{}
	}
	at := func(q float64) float64 {
		rank := int(math.Ceil(q*float64(len(all)))) - 1
		return ms(time.Duration(all[min(max(rank, 0), len(all)-1)]))
	}
	return Times{int64(len(all)), at(0.5), at(0.95), at(0.99), at(1)}
}

// counted tells times by a histogram.
func counted(counts []int64, longest int64) Times {
	var t Times
	for _, n := range counts {
		t.N += n
	}
	if t.N == 0 {
		return t
	}
	at := func(q float64) float64 { return ms(min(quantile(counts, q), time.Duration(longest))) }
	t.P50, t.P95, t.P99, t.Max = at(0.5), at(0.95), at(0.99), ms(time.Duration(longest))
	return t
}

// ms is a time in milliseconds, to the microsecond.
func ms(d time.Duration) float64 {
	return math.Round(float64(d)/float64(time.Microsecond)) / 1000
}
