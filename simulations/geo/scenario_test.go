package geo

import (
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"selvedge/simulations/netsim"
	"selvedge/simulations/scenario"
	"selvedge/simulations/scenario/scenariotest"
)

func TestTheHourIsOne(t *testing.T) {
	s := Default()
	if err := scenario.Load("testdata/hour.yaml", &s); err != nil {
		t.Fatal(err)
	}
	s.Quick()
	if s.Day.For != time.Hour || s.Day.Lapse != 1 || s.Day.ClientsPerRegion*len(s.Regions) != 96 {
		t.Errorf("its day is %+v", s.Day)
	}
}

func TestScenarios(t *testing.T) {
	scenariotest.Run(t, Default, map[string]string{
		"clients_per_regoin: 4":                 "clients_per_regoin",
		"network: {los: 1}":                     "los",
		"network: {loss: 0.9}":                  "0 to 0.1",
		"network: {loss: .nan}":                 "0 to 0.1",
		"for: 99h":                              "for: want",
		"core: atlantis":                        `"atlantis" is not among the regions`,
		"regions: [eastus, eastsu]":             "eastsu",
		"regions: [eastus, eastus]":             "twice",
		"rooms: 0":                              "rooms: want 1 to",
		"day: {gossip_probe: 10ms}":             "gossip_probe",
		"access: [{name: x, share: 50}]":        "make 50",
		"trouble: {outage: eastus}":             "the core's region",
		"trouble: {outage_for: 99m}":            "isn't within",
		"trouble: {reroute: []}":                "trouble.reroute: want",
		"day: {for: 1m}":                        "day.for: want 10m",
		"{publishes_per_minute: 1e-9}":          "publishes_per_minute: want 0.01",
		"{day: {publishes_per_hour: 1e-9}}":     "publishes_per_hour: want 0.01",
		"{clients_per_region: 500, for: 2h}":    "million deliveries",
		"day: {lapse: 0}":                       "day.lapse",
		"[1, 2":                                 "[",
		"for: soon":                             "soon",
		"{edges_per_region: 7}":                 "edges_per_region: want",
		"{publishes_per_minute: -1}":            "publishes_per_minute: want",
		`{"day": {"publishes_per_hour": 1e99}}`: "publishes_per_hour",
	})
}

func FuzzScenario(f *testing.F) {
	def := Default()
	f.Add([]byte(def.String()))
	f.Add([]byte(`{"network": {"loss": 0.001}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s := Default()
		if scenario.Read(text, &s) != nil {
			return
		}
		if _, err := newAtlas(&s); err != nil {
			t.Errorf("a scenario that was taken has no atlas: %v", err)
		}
	})
}

func TestTheTableIsTheRegions(t *testing.T) {
	want, err := os.ReadFile("../../topology/region/data/rtt_azure_2026-07.json")
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != string(table) {
		t.Error("data/ and topology/region/data differ")
	}
}

// Both ways together must have the table's P50 and P95.
func TestARoundTripHasTheTablesQuantiles(t *testing.T) {
	s := Default()
	a, err := newAtlas(&s)
	if err != nil {
		t.Fatal(err)
	}
	dice := rand.New(rand.NewPCG(1, 2))
	one := func(p netsim.Path) time.Duration {
		return p.Delay + time.Duration(dice.ExpFloat64()*float64(p.Jitter))
	}
	for _, c := range []struct {
		from, to string
		p50, p95 float64
	}{
		{"eastus", "uaenorth", 175, 190.5},
		{"eastus", "canadacentral", 18, 21.5},
		{"southeastasia", "australiaeast", 95, 98},
		{"japaneast", "southafricanorth", 249, 254.5},
	} {
		i, j := slices.Index(s.Regions, c.from), slices.Index(s.Regions, c.to)
		trips := make([]time.Duration, 50_000)
		for k := range trips {
			trips[k] = one(a.path(i, j, 1, 0)) + one(a.path(j, i, 1, 0))
		}
		if q := quantiles(trips); !near(q.P50, c.p50, 0.3) || !near(q.P95, c.p95, 0.5) {
			t.Errorf("%s - %s: P50 %v, P95 %v, and the table has %v and %v", c.from, c.to, q.P50, q.P95, c.p50, c.p95)
		}
	}
	if p := a.path(0, 4, 0, 0.01); p.Jitter != 0 || p.Delay != a.p50[0][4]/2 || p.Loss != 0.01 {
		t.Errorf("without jitter a way is %+v, and half of the round trip is %v", p, a.p50[0][4]/2)
	}
}

func TestClassesHaveTheirShares(t *testing.T) {
	s := Default()
	p := &plan{scenario: &s}
	count := map[string]int{}
	for i := range 300 {
		count[p.access(i).Name]++
	}
	for _, a := range s.Access {
		if count[a.Name] != 3*a.Share {
			t.Errorf("%d of 300 clients have %s, and %d in 100 should", count[a.Name], a.Name, a.Share)
		}
	}
}

func TestQuantiles(t *testing.T) {
	var times []time.Duration
	for i := range 1000 {
		times = append(times, time.Duration(1000-i)*time.Millisecond)
	}
	want := Quantiles{N: 1000, P50: 500, P95: 950, P99: 990, P999: 999, Max: 1000}
	if got := quantiles(times); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := quantiles(nil); got != (Quantiles{}) || math.IsNaN(got.P50) {
		t.Errorf("of none: %+v", got)
	}
}

func TestTimesAreWrittenForPeople(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0 s": 40 * time.Millisecond, "0.3 s": 260 * time.Millisecond, "33.9 s": 33912 * time.Millisecond, "1 min": time.Minute,
		"1 min 20 s": 80 * time.Second, "3 min 0.4 s": 180400 * time.Millisecond, "120 min": 2 * time.Hour,
	} {
		if got := clock(d); got != want {
			t.Errorf("%v is written as %q, and not %q", d, got, want)
		}
	}
}
