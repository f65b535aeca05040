package bench

import (
	"strings"
	"testing"
	"time"

	"selvedge/simulations/fleet"
)

const exposition = `# HELP pause_seconds of something
# TYPE pause_seconds histogram
pause_seconds_bucket{le="1e-05"} 90
pause_seconds_bucket{le="0.001"} 99
pause_seconds_bucket{le="0.1"} 99
pause_seconds_bucket{le="+Inf"} 100
pause_seconds_sum 1.5
pause_seconds_count 100
plain 3
`

func TestMetricsAreCompared(t *testing.T) {
	m, err := fleet.ParseMetrics(strings.NewReader(exposition))
	if err != nil {
		t.Fatal(err)
	}
	s := scrape(m)
	if grown := s.since(scrape{"plain": 1}); grown["plain"] != 2 || grown["pause_seconds_sum"] != 1.5 {
		t.Errorf("grown: %v", grown)
	}
	if both := (scrape{"plain": 1}).plus(s); both["plain"] != 4 {
		t.Errorf("added: %v", both)
	}
	for q, want := range map[float64]float64{0.5: 1e-5, 0.9: 1e-5, 0.99: 0.001} {
		if got, err := s.bound("pause_seconds", q); err != nil || got != want {
			t.Errorf("bound of %v: %v (%v), want %v", q, got, err, want)
		}
	}
	if got, err := s.bound("pause_seconds", 0.999); err != nil || got < 1 {
		t.Errorf("what is beyond the last bucket is at most %v (%v)", got, err)
	}
	for limit, want := range map[float64]float64{1e-9: 0, 1e-5: 90, 0.01: 99, 10: 99} {
		if got := s.within("pause_seconds", limit); got != want {
			t.Errorf("%v values are at most %v, want %v", got, limit, want)
		}
	}
	s[`pause_seconds_bucket{le="0.1"}`], s[`pause_seconds_bucket{le="0.001"}`] = 98, 98
	if got, err := (&gc{grown: s, took: 2 * time.Second}).p99("pause_seconds"); err != nil || got != 2 {
		t.Errorf("a pause in two seconds is at most %v s (%v)", got, err)
	}
	if _, err := s.bound("nothing", 0.99); err == nil {
		t.Error("a histogram that isn't there has a bound")
	}
}

func TestGCGoesOnForPauses(t *testing.T) {
	for _, test := range []struct {
		pauses float64
		took   time.Duration
		on     bool
	}{
		{99, 299 * time.Second, true},
		{100, time.Second, false},
		{99, 300 * time.Second, false},
	} {
		if got := (&GCCommand{Pauses: 100, Most: 300}).goesOn(test.pauses, test.took); got != test.on {
			t.Errorf("after %v pauses in %v it goes on: %v", test.pauses, test.took, got)
		}
	}
	if (&GCCommand{Most: 300}).goesOn(0, time.Second) {
		t.Error("it goes on for nothing")
	}
}

func TestAskedFor(t *testing.T) {
	grown := scrape{
		`selvedge_edge_welcomes_asked_total{reason="room"}`: 2, `selvedge_edge_welcomes_asked_total{reason="activity"}`: 1,
		`selvedge_edge_welcomes_asked_total{reason="user"}`: 0, `selvedge_edge_resumes_total{result="fresh"}`: 9,
	}
	if got := askedFor(grown); got != "activity 1, room 2" {
		t.Errorf("got %q", got)
	}
	if got := askedFor(scrape{}); got != "none" {
		t.Errorf("got %q", got)
	}
}
