package fanout

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"selvedge/simulations/limits"
	"selvedge/simulations/scenario"
)

func TestScenarios(t *testing.T) {
	s := Default()
	if err := s.Check(); err != nil {
		t.Error(err)
	}
	again := Scenario{}
	if err := scenario.Read([]byte(s.String()), &again); err != nil || !cmp.Equal(again, s) {
		t.Errorf("the scenario of a report is another one: %v %s", err, cmp.Diff(again, s))
	}
	s.Quick()
	if err := s.Check(); err != nil || s.most() > 200 || len(s.Rates) != 1 {
		t.Errorf("a quick one: %+v, %v", s, err)
	}
	file := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(file, []byte("gateways: [7]\nseconds: 2.5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Gateways, want.Seconds = []int{7}, 2.5
	if got, err := Load(file); err != nil || !cmp.Equal(got, want) {
		t.Errorf("%v: %s", err, cmp.Diff(got, want))
	}
	if _, err := Load(file + "?"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestWrongScenarios(t *testing.T) {
	for text, want := range map[string]string{
		"gateway: 3":           "unknown field",
		"gateways: []":         "one or more",
		"gateways: [0]":        "1 to 20000",
		"gateways: [5, 5]":     "ascend",
		"gateways: [30000]":    "1 to 20000",
		"tiers: []":            "one or more",
		"tiers: [kafka]":       "kafka",
		"rates: [0]":           "rates",
		"rates: [5000]":        "rates",
		"payload_bytes: 20":    "payload_bytes",
		"singles: 0":           "singles",
		"seconds: .nan":        "seconds",
		"max_work: 0":          "max_work",
		"idle: -1":             "idle",
		"processes: 0":         "processes",
		"regions: []":          "regions",
		"edges_per_region: 17": "edges_per_region",
		"redis_nodes: 2":       "redis_nodes",
	} {
		s := Default()
		if err := scenario.Read([]byte(text), &s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// What a machine can't hold is refused, with the arithmetic.
func TestLimits(t *testing.T) {
	s := Default()
	if err := s.fits(limits.Limits{Files: 20_000, Memory: 8 << 30}); err != nil {
		t.Error(err)
	}
	if err := s.fits(limits.Limits{Files: 5100}); err != nil {
		t.Errorf("just enough: %v", err)
	}
	for what, l := range map[string]limits.Limits{
		"1250 + 100 others = 1350, and a process may open 1024": {Files: 1024},
		"5000 + 100 others = 5100, and a process may open 5099": {Files: 5099},
		"4917 MiB, and 3072 MiB are available":                  {Files: 20_000, Memory: 3 << 30},
	} {
		if err := s.fits(l); !errors.Is(err, errLimit) || !strings.Contains(err.Error(), what) {
			t.Errorf("%+v: %v, want %q", l, err, what)
		}
	}
	s.Tiers = []string{tierDirect}
	if err := s.fits(limits.Limits{Files: 1350}); err != nil {
		t.Errorf("without Redis, which has them all: %v", err)
	}
}

func TestTheCommandAgain(t *testing.T) {
	c := Command{Seed: 3, N: []int{1, 2}, Tiers: []string{"redis", "direct"}, Rates: []int{5}, Seconds: 0.5, Quick: true, WithoutRedis: true}
	if got, want := c.line(), "selvedge simulate fanout --seed 3 --n 1,2 --rates 5 --seconds 0.5 --tiers redis,direct --without-redis --quick"; got != want {
		t.Errorf("%s", got)
	}
	s, err := c.scenario()
	if err != nil || !cmp.Equal(s.Gateways, c.N) || !cmp.Equal(s.Tiers, c.Tiers) || !cmp.Equal(s.Rates, c.Rates) || s.Seconds != 0.5 {
		t.Errorf("%+v, %v", s, err)
	}
	c.N = []int{2, 1}
	if _, err := c.scenario(); err == nil {
		t.Error("numbers that descend")
	}
}
