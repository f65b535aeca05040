package region

import (
	"time"

	"selvedge/topology"
)

const (
	// sameRegion is the round trip within a region: an assumption.
	sameRegion = time.Millisecond
	// borrowKm is how far away a place may be whose figures are borrowed.
	borrowKm = 500
	// samePlaceKm is how near two regions of one name's figures are one place.
	samePlaceKm = 50
)

// RTT returns the median round-trip time between the named regions, in either
// order. It isn't ok if one is unknown. A figure is measured if it, or that of
// Azure regions within 500 km, was; otherwise it is Estimate's, or 1 ms within a
// region.
func RTT(a, b string) (p50 time.Duration, ok, measured bool) {
	ra, okA := Lookup(a)
	rb, okB := Lookup(b)
	if !okA || !okB {
		return 0, false, false
	}
	p50, measured = Between(ra, rb)
	return p50, true, measured
}

// Between is RTT for regions at hand, custom ones included.
func Between(a, b Region) (p50 time.Duration, measured bool) {
	km := topology.DistanceKm(a.Lat, a.Lon, b.Lat, b.Lon)
	if a.Name == b.Name || a.azure != "" && a.azure == b.azure {
		return sameRegion, false
	}
	m := atlas()
	if p50, ok := m.figure(m.figuresOf(a), m.figuresOf(b)); ok {
		return p50, true
	}
	if km < samePlaceKm {
		return sameRegion, false
	}
	return Estimate(km), false
}

// Estimate guesses the round-trip time over a distance from the speed of light in
// fibre, 2/3 c, which takes 1 ms there and back per 100 km, and what the cables'
// detours and the ends add:
//
//	RTT = 2 ms + 1.6 * km / 100 ms
//
// data/README.md says how well it fits.
func Estimate(km float64) time.Duration {
	const (
		ends   = 2 * time.Millisecond
		detour = 1.6
		perKm  = float64(time.Millisecond) / 100
	)
	return ends + time.Duration(detour*km*perKm)
}
