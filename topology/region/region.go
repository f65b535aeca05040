package region

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Errors of this package.
var (
	// ErrUnknown: no region has this name, and the text gives no coordinates.
	ErrUnknown = errors.New("unknown region")
	// ErrBadRegion: a custom region's text isn't name=lat,lon.
	ErrBadRegion = errors.New("bad region")
)

// Region is a place where nodes run.
type Region struct {
	Name  string  `json:"name"`  // as looked up: "eu-west", "westeurope", "eu-west-1", "europe-west4"
	Title string  `json:"title"` // for people
	Lat   float64 `json:"lat"`   // degrees north
	Lon   float64 `json:"lon"`   // degrees east

	azure string // display name of the Azure region that it is; "" for other places
}

// Lookup returns the region of that name: one of our generic names (eu-west), or
// a region of Azure (westeurope), AWS (eu-west-1) or Google Cloud (europe-west4).
// Case doesn't matter.
func Lookup(name string) (Region, bool) {
	r, ok := atlas().byName[strings.ToLower(name)]
	return r, ok
}

// All returns every known region, sorted by name. The slice is the caller's.
func All() []Region { return slices.Clone(atlas().all) }

// Parse reads a region from configuration: a known name, or "name=lat,lon" for a
// place of one's own, as in "mars=1.5,-3". It fails with ErrUnknown, which
// suggests names of similar spelling, or ErrBadRegion.
func Parse(s string) (Region, error) {
	name, place, custom := strings.Cut(s, "=")
	if !custom {
		if r, ok := Lookup(s); ok {
			return r, nil
		}
		return Region{}, unknown(s)
	}
	if name == "" || strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c == ',' || c == '/' }) {
		return Region{}, fmt.Errorf("%w %q: %q can't be a name: use letters, digits and dashes", ErrBadRegion, s, name)
	}
	lat, lon, ok := parsePlace(place)
	if !ok {
		return Region{}, fmt.Errorf("%w %q: want name=lat,lon in degrees, such as mars=1.5,-3", ErrBadRegion, s)
	}
	return Region{Name: name, Title: name, Lat: lat, Lon: lon}, nil
}

func parsePlace(s string) (lat, lon float64, ok bool) {
	a, b, found := strings.Cut(s, ",")
	if !found {
		return 0, 0, false
	}
	lat, errLat := strconv.ParseFloat(strings.TrimSpace(a), 64)
	lon, errLon := strconv.ParseFloat(strings.TrimSpace(b), 64)
	// The comparison is written so that NaN fails it.
	return lat, lon, errLat == nil && errLon == nil && math.Abs(lat) <= 90 && math.Abs(lon) <= 180
}

func unknown(name string) error {
	near := nearestSpellings(strings.ToLower(name), atlas().all)
	hint := "give its place as name=lat,lon"
	if len(near) > 0 {
		hint = "did you mean " + strings.Join(near, ", ") + "? Or " + hint
	}
	return fmt.Errorf("%w %q: %s", ErrUnknown, name, hint)
}
