package geo

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"selvedge/simulations/netsim"
	"selvedge/topology/region"
)

// table is topology/region's newer one, of which that package needs the medians
// only. A test holds the two files together.
//
//go:embed data/rtt_azure_2026-07.json
var table []byte

const (
	// within is one way inside a region, and its jitter a tenth: an assumption, and
	// topology/region's.
	within = 500 * time.Microsecond
	// spread is P95 - P50 of a round trip where the table has none, as a part of
	// P50: an assumption; the table's own are 1 % to 12 %.
	spread = 0.04

	// Quantiles of the sum of two exponential distributions of mean 1, which is what
	// jitter adds to a round trip: a Gamma distribution of shape 2.
	gammaP50 = 1.6783
	gammaP95 = 4.7439
)

// atlas is the regions of a scenario, and the ways between them.
type atlas struct {
	regions []region.Region
	names   []string // for people
	core    int
	p50     [][]time.Duration // of round trips
	jitter  [][]time.Duration // one way, its mean
}

func newAtlas(s *Scenario) (*atlas, error) {
	var raw struct {
		Regions  []string
		P50, P95 [][]float64
	}
	if err := json.Unmarshal(table, &raw); err != nil {
		return nil, fmt.Errorf("geo: embedded data: %w", err)
	}
	a := &atlas{}
	for i, name := range s.Regions {
		r, ok := region.Lookup(name)
		if !ok {
			return nil, fmt.Errorf("no region is named %q", name)
		}
		if name == s.Core {
			a.core = i
		}
		a.regions = append(a.regions, r)
		a.names = append(a.names, strings.TrimPrefix(r.Title, "Azure "))
	}
	for i, from := range a.regions {
		p50, jitter := make([]time.Duration, len(a.regions)), make([]time.Duration, len(a.regions))
		for j, to := range a.regions {
			p50[j], _ = region.Between(from, to)
			extra := spread * float64(p50[j])
			x, y := slices.Index(raw.Regions, a.names[i]), slices.Index(raw.Regions, a.names[j])
			if x >= 0 && y >= 0 && x != y {
				extra = (raw.P95[x][y] - raw.P50[x][y] + raw.P95[y][x] - raw.P50[y][x]) / 2 * float64(time.Millisecond)
			}
			jitter[j] = time.Duration(extra / (gammaP95 - gammaP50))
		}
		a.p50, a.jitter = append(a.p50, p50), append(a.jitter, jitter)
	}
	return a, nil
}

// name is what people call a region.
func (a *atlas) name(of string) string {
	if i := slices.IndexFunc(a.regions, func(r region.Region) bool { return r.Name == of }); i >= 0 {
		return a.names[i]
	}
	return of
}

// path is one way between two regions: with times = 1, and both ways together, the
// table's P50 and P95. More jitter leaves the fixed part as it is.
func (a *atlas) path(from, to int, times, loss float64) netsim.Path {
	if from == to {
		return netsim.Path{Delay: within, Jitter: time.Duration(times * float64(within) / 10)}
	}
	rtt, mean := a.p50[from][to], a.jitter[from][to]
	if times > 0 {
		rtt -= time.Duration(gammaP50 * float64(mean))
	}
	return netsim.Path{Delay: max(rtt/2, within), Jitter: time.Duration(times * float64(mean)), Loss: loss}
}
