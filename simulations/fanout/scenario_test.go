package fanout

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"selvedge/simulations/limits"
	"selvedge/simulations/scenario/scenariotest"
)

func TestAQuickScenarioIsSmall(t *testing.T) {
	s := Default()
	if s.Quick(); s.most() > 200 || len(s.Rates) != 1 {
		t.Errorf("%+v", s)
	}
}

func TestScenarios(t *testing.T) {
	scenariotest.Run(t, Default, map[string]string{
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
	})
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
	a := c.asked()
	if got, want := a.Line("fanout"), "selvedge simulate fanout --seed 3 --n 1,2 --rates 5 --seconds 0.5 --tiers redis,direct --without-redis --quick"; got != want {
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
