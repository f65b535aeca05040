package fanout

import (
	"errors"
	"fmt"
	"slices"

	"selvedge/simulations/mega"
	"selvedge/simulations/scenario"
)

// Tiers, in the order of a report.
const (
	tierRedis   = "redis"
	tierCluster = "redis-cluster"
	tierSharded = "redis-sharded"
	tierDirect  = "direct"
	tierRelays  = "relays"
	tierSockets = "sockets"
)

var allTiers = []string{tierRedis, tierCluster, tierSharded, tierDirect, tierSockets, tierRelays}

// Scenario is all that a run depends on beside the machine and the code. It is plain
// data: printed in the report, it can be had again.
type Scenario struct {
	Parts        []string `yaml:"parts"`
	Tiers        []string `yaml:"tiers"`
	Gateways     []int    `yaml:"gateways"` // ascending
	PayloadBytes int      `yaml:"payload_bytes"`
	Singles      int      `yaml:"singles"` // publishes one at a time
	Rates        []int    `yaml:"rates"`   // publishes/s
	Seconds      float64  `yaml:"seconds"` // of each rate
	// MaxWork bounds what is published at a rate, in seconds of the time that a single
	// one takes to the last receipt: a machine that can't keep up is shown that with a
	// burst, not with minutes.
	MaxWork float64 `yaml:"max_work"`
	Idle    float64 `yaml:"idle"` // seconds, for how long it is looked at

	Processes      int      `yaml:"processes"`        // of gateways
	Regions        []string `yaml:"regions"`          // of the edges
	EdgesPerRegion int      `yaml:"edges_per_region"` // real ones
	RedisNodes     int      `yaml:"redis_nodes"`      // of the Redis Cluster

	mega.Scenario `yaml:",inline"`
}

// Default is the scenario of a full run.
func Default() Scenario {
	return Scenario{
		Parts: slices.Clone(allParts),
		Tiers: slices.Clone(allTiers), Gateways: []int{10, 100, 500, 1000, 5000}, PayloadBytes: 1024,
		Singles: 20, Rates: []int{10, 100}, Seconds: 3, MaxWork: 10, Idle: 2,
		Processes: 4, Regions: []string{"us-east", "eu-west", "ap-southeast"}, EdgesPerRegion: 4, RedisNodes: 4,
		Scenario: mega.Default(),
	}
}

// Quick makes s small: a run takes half a minute.
func (s *Scenario) Quick() {
	s.Gateways = slices.DeleteFunc(s.Gateways, func(n int) bool { return n > 200 })
	if len(s.Gateways) == 0 {
		s.Gateways = []int{100}
	}
	s.Rates = s.Rates[:min(len(s.Rates), 1)]
	s.Singles, s.Seconds, s.MaxWork, s.Idle = min(s.Singles, 5), min(s.Seconds, 0.5), min(s.MaxWork, 2), min(s.Idle, 0.4)
	s.EdgesPerRegion = min(s.EdgesPerRegion, 2)
	s.Scenario.Quick()
}

// String is s as a file that --scenario reads.
func (s *Scenario) String() string { return scenario.Text(s) }

// Bounds of a scenario.
const (
	maxGateways  = 20_000
	maxPayload   = 64 << 10
	maxPublishes = 10_000
	maxProcesses = 16
	maxEdges     = 48
)

// Check implements scenario.Scenario.
func (s *Scenario) Check() error {
	bounded := func(name string, is bool, want string, args ...any) error {
		if is {
			return nil
		}
		return fmt.Errorf("%s: want "+want, append([]any{name}, args...)...)
	}
	within := func(v, least, most int) bool { return v >= least && v <= most }
	errs := []error{s.Scenario.Check(), bounded("parts", len(s.Parts) > 0, "one or more of %v", allParts)}
	for _, p := range s.Parts {
		errs = append(errs, bounded("parts", slices.Contains(allParts, p), "some of %v, not %q", allParts, p))
	}
	for _, t := range s.Tiers {
		errs = append(errs, bounded("tiers", slices.Contains(allTiers, t), "some of %v, not %q", allTiers, t))
	}
	for i, n := range s.Gateways {
		errs = append(errs, bounded("gateways", within(n, 1, maxGateways) && (i == 0 || n > s.Gateways[i-1]), "numbers of 1 to %d that ascend", maxGateways))
	}
	for _, r := range s.Rates {
		errs = append(errs, bounded("rates", within(r, 1, maxPublishes) && float64(r)*s.Seconds <= maxPublishes, "1/s or more, and at most %d publishes in all", maxPublishes))
	}
	errs = append(
		errs,
		bounded("tiers", len(s.Tiers) > 0, "one or more of %v", allTiers),
		bounded("gateways", len(s.Gateways) > 0, "one or more numbers"),
		bounded("payload_bytes", within(s.PayloadBytes, stampSize+1, maxPayload), "%d to %d", stampSize+1, maxPayload),
		bounded("singles", within(s.Singles, 1, maxPublishes), "1 to %d", maxPublishes),
		bounded("seconds", s.Seconds > 0 && s.Seconds <= 600, "more than 0, at most 600"),
		bounded("max_work", s.MaxWork > 0 && s.MaxWork <= 600, "more than 0, at most 600"),
		bounded("idle", s.Idle > 0 && s.Idle <= 600, "more than 0, at most 600"),
		bounded("processes", within(s.Processes, 1, maxProcesses), "1 to %d", maxProcesses),
		bounded("regions", len(s.Regions) > 0, "one or more"),
		bounded("edges_per_region", within(s.EdgesPerRegion, 1, max(1, maxEdges/max(1, len(s.Regions)))), "1 or more, at most %d edges in all", maxEdges),
		bounded("redis_nodes", within(s.RedisNodes, 3, 16), "3 to 16"),
	)
	return errors.Join(errs...)
}

// most is the largest number of gateways.
func (s *Scenario) most() int { return slices.Max(s.Gateways) }

// has reports whether one of the tiers is measured.
func (s *Scenario) has(tiers ...string) bool {
	return slices.ContainsFunc(tiers, func(t string) bool { return slices.Contains(s.Tiers, t) })
}
