package region

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"selvedge/topology"
)

func TestLookup(t *testing.T) {
	for name, want := range map[string]struct {
		lat, lon float64
	}{
		"us-east":      {37.3719, -79.8164},
		"eu-west":      {52.3676, 4.9041},
		"ap-southeast": {1.3521, 103.8198},
		"AP-Southeast": {1.3521, 103.8198},
		"westeurope":   {52.3676, 4.9041},
		"eu-west-1":    {53.35, -6.26},
		"us-west-2":    {45.84, -119.70},
		"europe-west3": {50.11, 8.68},
	} {
		r, ok := Lookup(name)
		if !ok || r.Lat != want.lat || r.Lon != want.lon || r.Title == "" {
			t.Errorf("Lookup(%q) = %+v, %v; want the place %v", name, r, ok, want)
		}
	}
	if r, ok := Lookup("atlantis"); ok {
		t.Errorf("Lookup(atlantis) = %+v", r)
	}
}

func TestAll(t *testing.T) {
	all := All()
	if len(all) < 150 {
		t.Errorf("%d regions, the data has more", len(all))
	}
	if !slices.IsSortedFunc(all, func(a, b Region) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("All isn't sorted by name")
	}
	for _, r := range all {
		if math.Abs(r.Lat) > 90 || math.Abs(r.Lon) > 180 || r.Lat == 0 && r.Lon == 0 {
			t.Errorf("%s is nowhere: %v, %v", r.Name, r.Lat, r.Lon)
		}
		if got, ok := Lookup(r.Name); !ok || got != r {
			t.Errorf("Lookup(%q) = %+v, %v", r.Name, got, ok)
		}
	}
	all[0].Name = "changed"
	if All()[0].Name == "changed" {
		t.Error("All gave out its own slice")
	}
}

func TestRTT(t *testing.T) {
	ms := func(v float64) time.Duration { return time.Duration(v * float64(time.Millisecond)) }
	for _, c := range []struct {
		a, b     string
		want     time.Duration
		measured bool
	}{
		{"us-east", "ap-southeast", ms(224), true},      // 2026
		{"us-east", "eu-west", ms(84), true},            // 2025: West Europe isn't in the newer table
		{"eastus", "southeastasia", ms(224), true},      // by Azure's names
		{"us-east", "eastus", ms(1), false},             // two names of one region
		{"eu-west", "eu-west", ms(1), false},            // itself
		{"eu-central-1", "us-east", ms(94), true},       // borrowed from Germany West Central
		{"eu-central-1", "europe-west3", ms(1), false},  // two clouds, one city
		{"eu-north", "northeurope", ms(36), true},       // 38 one way, 34 the other
		{"ap-southeast-7", "us-east", ms(224.5), false}, // nothing near Bangkok: estimated
	} {
		for _, pair := range [][2]string{{c.a, c.b}, {c.b, c.a}} {
			got, ok, measured := RTT(pair[0], pair[1])
			want := c.want
			if !c.measured && want > ms(1) {
				a, _ := Lookup(c.a)
				b, _ := Lookup(c.b)
				want = Estimate(topology.DistanceKm(a.Lat, a.Lon, b.Lat, b.Lon))
			}
			if !ok || got != want || measured != c.measured {
				t.Errorf("RTT(%s, %s) = %v, %v, measured %v; want %v, measured %v", pair[0], pair[1], got, ok, measured, want, c.measured)
			}
		}
	}
	if _, ok, _ := RTT("us-east", "atlantis"); ok {
		t.Error("RTT knows atlantis")
	}
}

// The formula must stay near the figures that it stands in for.
func TestEstimateFits(t *testing.T) {
	m := atlas()
	var off []float64
	for i, a := range m.figures {
		for _, b := range m.figures[i+1:] {
			p50, ok := m.older.between(a.azure, b.azure)
			if !ok {
				continue
			}
			guess := Estimate(topology.DistanceKm(a.Lat, a.Lon, b.Lat, b.Lon))
			off = append(off, math.Abs(float64(guess-p50))/float64(max(p50, time.Millisecond)))
		}
	}
	slices.Sort(off)
	if len(off) < 1000 {
		t.Fatalf("only %d pairs", len(off))
	}
	if median := off[len(off)/2]; median > 0.2 {
		t.Errorf("median error %.0f %%", median*100)
	}
	if p90 := off[len(off)*9/10]; p90 > 0.45 {
		t.Errorf("one in ten pairs is off by more than %.0f %%", p90*100)
	}
}

func TestParse(t *testing.T) {
	mars := Region{Name: "mars", Title: "mars", Lat: 1.5, Lon: -3}
	got, err := Parse("mars=1.5,-3")
	if err != nil || got != mars {
		t.Errorf("Parse = %+v, %v", got, err)
	}
	if got, err := Parse("eu-west"); err != nil || got.Name != "eu-west" {
		t.Errorf("Parse(eu-west) = %+v, %v", got, err)
	}
	for in, want := range map[string]string{
		"eu-wets":    `unknown region "eu-wets": did you mean eu-west? Or give its place as name=lat,lon`,
		"us_east":    `unknown region "us_east": did you mean us-east, us-east1, us-east4? Or give its place as name=lat,lon`,
		"qqqqqqqqqq": `unknown region "qqqqqqqqqq": give its place as name=lat,lon`,
		"":           `unknown region "": give its place as name=lat,lon`,
		"mars=1.5":   `bad region "mars=1.5": want name=lat,lon in degrees, such as mars=1.5,-3`,
		"mars=91,0":  `bad region "mars=91,0": want name=lat,lon in degrees, such as mars=1.5,-3`,
		"mars=NaN,0": `bad region "mars=NaN,0": want name=lat,lon in degrees, such as mars=1.5,-3`,
		"=1,2":       `bad region "=1,2": "" can't be a name: use letters, digits and dashes`,
	} {
		_, err := Parse(in)
		if err == nil {
			t.Errorf("Parse(%q) was accepted", in)
			continue
		}
		if diff := cmp.Diff(want, err.Error()); diff != "" {
			t.Errorf("Parse(%q): %s", in, diff)
		}
		if !errors.Is(err, ErrUnknown) && !errors.Is(err, ErrBadRegion) {
			t.Errorf("Parse(%q): %v is no sentinel", in, err)
		}
	}
}

func TestBetweenCustom(t *testing.T) {
	amsterdam, err := Parse("home=52.4,4.9")
	if err != nil {
		t.Fatal(err)
	}
	east, _ := Lookup("us-east")
	if p50, measured := Between(amsterdam, east); p50 != 84*time.Millisecond || !measured {
		t.Errorf("from Amsterdam to us-east: %v, measured %v; want West Europe's", p50, measured)
	}
	ocean, err := Parse("ocean=-40,-120")
	if err != nil {
		t.Fatal(err)
	}
	if p50, measured := Between(ocean, east); p50 < 100*time.Millisecond || measured {
		t.Errorf("from the Pacific to us-east: %v, measured %v", p50, measured)
	}
}
