package geo

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"selvedge/simulations/scenario"
	"selvedge/topology/region"
)

// Scenario is all that a run depends on beside its seed and the code. It is plain
// data: printed in the report, it can be had again.
type Scenario struct {
	Core    string   `yaml:"core"`    // region of the core
	Regions []string `yaml:"regions"` // of edges, publishers and clients; the core's among them

	ClientsPerRegion int `yaml:"clients_per_region"`
	Rooms            int `yaml:"rooms"` // everybody is in all of them
	MessageBytes     int `yaml:"message_bytes"`
	// PublishesPerMinute is each region's rate, the gaps exponentially distributed.
	PublishesPerMinute float64       `yaml:"publishes_per_minute"`
	For                time.Duration `yaml:"for"` // how long is published, in each comparison
	// EdgesPerRegion is how many there are where relays are compared with none.
	EdgesPerRegion int `yaml:"edges_per_region"`

	Network Network  `yaml:"network"`
	Access  []Access `yaml:"access"` // the last mile; clients take them in turn by their shares
	Trouble Trouble  `yaml:"trouble"`
	Day     Day      `yaml:"day"`
}

// Network is what lies between the regions, beside the table of round trips.
type Network struct {
	Jitter float64 `yaml:"jitter"` // times what the table's P95 says; 0 = none
	Loss   float64 `yaml:"loss"`   // of packets, 0 to 1
	// Rough is the network of one comparison.
	RoughJitter float64 `yaml:"rough_jitter"`
	RoughLoss   float64 `yaml:"rough_loss"`
}

// Access is a class of last miles, one way. All of it is assumed.
type Access struct {
	Name   string        `yaml:"name"`
	Share  int           `yaml:"share"` // in a hundred clients
	Delay  time.Duration `yaml:"delay"`
	Jitter time.Duration `yaml:"jitter"` // its mean, exponentially distributed
	Loss   float64       `yaml:"loss"`
}

// Trouble is an outage of a region's edges, and later a detour of a backbone.
type Trouble struct {
	For       time.Duration `yaml:"for"` // in all
	Outage    string        `yaml:"outage"`
	OutageAt  time.Duration `yaml:"outage_at"`
	OutageFor time.Duration `yaml:"outage_for"`
	// Detour is added to each way from Reroute's regions to all others, there and
	// back half each.
	Reroute    []string      `yaml:"reroute"`
	RerouteAt  time.Duration `yaml:"reroute_at"`
	RerouteFor time.Duration `yaml:"reroute_for"`
	Detour     time.Duration `yaml:"detour"`
}

// Day is a working day, or a part of it.
type Day struct {
	From float64       `yaml:"from"` // hour, UTC
	For  time.Duration `yaml:"for"`  // by the day's clock
	// Lapse is how much faster the day's clock goes than the network's: at 48, an hour
	// takes 75 seconds.
	Lapse float64 `yaml:"lapse"`
	Spike float64 `yaml:"spike"` // how much more at the full hour; 1 = twice
	// PublishesPerHour is each region's mean over 24 hours, by the day's clock.
	PublishesPerHour float64 `yaml:"publishes_per_hour"`
	ClientsPerRegion int     `yaml:"clients_per_region"`
	// GossipProbe is the nodes' --gossip-probe-interval in this world; 0 = its default, as
	// in all others. Nobody dies on this day, and half of what a silent world sends are
	// probes of who is alive.
	GossipProbe time.Duration `yaml:"gossip_probe"`
}

// Default is the scenario of a full run.
func Default() Scenario {
	return Scenario{
		Core: "eastus",
		Regions: []string{
			"eastus", "canadacentral", "westus2", "brazilsouth", "uksouth", "germanywestcentral",
			"southafricanorth", "uaenorth", "centralindia", "southeastasia", "japaneast", "australiaeast",
		},
		ClientsPerRegion: 8, Rooms: 8, MessageBytes: 512, PublishesPerMinute: 30, For: 3 * time.Minute, EdgesPerRegion: 3,
		Network: Network{Jitter: 1, Loss: 0.0001, RoughJitter: 3, RoughLoss: 0.01},
		Access: []Access{
			{Name: "fibre", Share: 40, Delay: 2 * time.Millisecond, Jitter: 200 * time.Microsecond},
			{Name: "cable", Share: 25, Delay: 7 * time.Millisecond, Jitter: time.Millisecond, Loss: 0.0005},
			{Name: "Wi-Fi", Share: 20, Delay: 10 * time.Millisecond, Jitter: 3 * time.Millisecond, Loss: 0.002},
			{Name: "LTE", Share: 15, Delay: 25 * time.Millisecond, Jitter: 6 * time.Millisecond, Loss: 0.001},
		},
		Trouble: Trouble{
			For:    8 * time.Minute,
			Outage: "germanywestcentral", OutageAt: time.Minute, OutageFor: 3 * time.Minute,
			Reroute: []string{"southeastasia", "centralindia"}, RerouteAt: 6 * time.Minute, RerouteFor: time.Minute, Detour: 120 * time.Millisecond,
		},
		Day: Day{From: 0, For: 24 * time.Hour, Lapse: 48, Spike: 2, PublishesPerHour: 60, ClientsPerRegion: 2, GossipProbe: 2 * time.Second},
	}
}

// Quick makes s small: a run takes seconds, and its tails mean little.
func (s *Scenario) Quick() {
	s.ClientsPerRegion, s.For = min(s.ClientsPerRegion, 4), min(s.For, time.Minute)
	s.EdgesPerRegion = min(s.EdgesPerRegion, 2)
	s.Trouble.OutageAt, s.Trouble.OutageFor = min(s.Trouble.OutageAt, 20*time.Second), min(s.Trouble.OutageFor, 80*time.Second)
	s.Trouble.RerouteAt, s.Trouble.RerouteFor = min(s.Trouble.RerouteAt, 150*time.Second), min(s.Trouble.RerouteFor, 30*time.Second)
	s.Trouble.For = min(s.Trouble.For, 210*time.Second)
	if s.Day.For > 2*time.Hour {
		s.Day.From, s.Day.For, s.Day.Lapse = 13.5, 2*time.Hour, max(s.Day.Lapse, 60)
	}
}

// String is s as a file that --scenario reads.
func (s *Scenario) String() string { return scenario.Text(s) }

// Bounds of a scenario: one of any size fits the hosts' numbers and some memory.
const (
	maxRegions        = 40
	maxEdges          = 80
	maxClients        = 500 // per region
	maxRooms          = 100
	maxMessageBytes   = 8 << 10
	maxPublishes      = 600 // per minute and region
	maxFor            = 2 * time.Hour
	minDay            = 10 * time.Minute // some points of its line
	maxDay            = 48 * time.Hour
	maxDayPublishes   = 3600 // per hour and region
	maxProbe          = 10 * time.Second
	maxLoss           = 0.1
	maxJitterMultiple = 10
	// minRate is the least of both rates: gaps of it are times that fit a time.Duration.
	minRate = 0.01
	// maxDeliveries is of all worlds together, to clients and edges: the times of all
	// are kept until the report, some 50 bytes for each.
	maxDeliveries = 50_000_000
)

// Check implements scenario.Scenario.
func (s *Scenario) Check() error {
	bounded := func(name string, is bool, want string, args ...any) error {
		if is {
			return nil
		}
		return fmt.Errorf("%s: want "+want, append([]any{name}, args...)...)
	}
	within := func(d, most time.Duration) bool { return d > 0 && d <= most }
	part := func(f float64) bool { return f >= 0 && f <= maxLoss }            // false for NaN
	times := func(f float64) bool { return f >= 0 && f <= maxJitterMultiple } // false for NaN
	positive := func(n, most int) bool { return n > 0 && n <= most }
	n := len(s.Regions)
	return errors.Join(
		s.checkRegions(),
		bounded("regions", n >= 2 && n <= maxRegions, "2 to %d", maxRegions),
		bounded("edges_per_region", positive(s.EdgesPerRegion, max(1, maxEdges/max(1, n))), "1 or more, at most %d edges in all", maxEdges),
		bounded("clients_per_region", positive(s.ClientsPerRegion, maxClients), "1 to %d", maxClients),
		bounded("rooms", positive(s.Rooms, maxRooms), "1 to %d", maxRooms),
		bounded("message_bytes", s.MessageBytes >= 0 && s.MessageBytes <= maxMessageBytes, "0 to %d", maxMessageBytes),
		bounded("publishes_per_minute", s.PublishesPerMinute >= minRate && s.PublishesPerMinute <= maxPublishes, "%v to %d", minRate, maxPublishes),
		bounded("for", within(s.For, maxFor), "more than 0, at most %v", maxFor),
		bounded("network.jitter, network.rough_jitter", times(s.Network.Jitter) && times(s.Network.RoughJitter), "0 to %d", maxJitterMultiple),
		bounded("network.loss, network.rough_loss", part(s.Network.Loss) && part(s.Network.RoughLoss), "0 to %v", maxLoss),
		s.checkAccess(), s.checkTrouble(),
		bounded("day.from", s.Day.From >= 0 && s.Day.From < 24, "an hour, 0 to 24"),
		bounded("day.for", s.Day.For >= minDay && s.Day.For <= maxDay, "%v to %v", minDay, maxDay),
		bounded("day.lapse", s.Day.Lapse >= 1 && s.Day.Lapse <= 100, "1 to 100"),
		bounded("day.spike", s.Day.Spike >= 0 && s.Day.Spike <= 10, "0 to 10"),
		bounded("day.publishes_per_hour", s.Day.PublishesPerHour >= minRate && s.Day.PublishesPerHour <= maxDayPublishes, "%v to %d", minRate, maxDayPublishes),
		bounded("day.gossip_probe", s.Day.GossipProbe == 0 || s.Day.GossipProbe >= time.Second && s.Day.GossipProbe <= maxProbe, "0, or 1s to %v", maxProbe),
		bounded("day.clients_per_region", positive(s.Day.ClientsPerRegion, maxClients), "1 to %d", maxClients),
		s.checkDeliveries(),
	)
}

// published is about how many messages all regions publish in a time.
func (s *Scenario) published(in time.Duration) float64 {
	return float64(len(s.Regions)) * s.PublishesPerMinute * in.Minutes()
}

// checkDeliveries adds up what the worlds of a run deliver, on the mean. A day that is a
// busy hour has some times as much.
func (s *Scenario) checkDeliveries() error {
	n, clients := len(s.Regions), len(s.Regions)*s.ClientsPerRegion
	const steady = 6 // worlds of For: with an edge in each region, one in all, and two with several
	sum := s.published(s.For)*float64(steady*clients+3*n+1+2*n*s.EdgesPerRegion) + s.published(s.Trouble.For)*float64(clients+n) +
		float64(n)*s.Day.PublishesPerHour*s.Day.For.Hours()*float64(n*s.Day.ClientsPerRegion+n)
	if sum > maxDeliveries {
		return fmt.Errorf("%.0f million deliveries in all worlds: want at most %d million; take fewer regions, clients or publishes, or less time", sum/1e6, maxDeliveries/1_000_000)
	}
	return nil
}

func (s *Scenario) checkRegions() error {
	seen := map[string]bool{}
	for _, name := range s.Regions {
		if _, ok := region.Lookup(name); !ok {
			_, err := region.Parse(name)
			if err == nil {
				err = fmt.Errorf("%q: a region of one's own has no round trips; take a known one", name)
			}
			return fmt.Errorf("regions: %w", err)
		}
		if seen[name] {
			return fmt.Errorf("regions: %s is there twice", name)
		}
		seen[name] = true
	}
	if !seen[s.Core] {
		return fmt.Errorf("core: %q is not among the regions", s.Core)
	}
	return nil
}

func (s *Scenario) checkAccess() error {
	shares := 0
	for _, a := range s.Access {
		if a.Name == "" || a.Share < 0 || a.Share > 100 || a.Delay < 0 || a.Delay > time.Second || a.Jitter < 0 || a.Jitter > time.Second || math.IsNaN(a.Loss) || a.Loss < 0 || a.Loss > maxLoss {
			return fmt.Errorf("access: %+v: want a name, a share of 0 to 100, a delay and a jitter up to 1 s, a loss up to %v", a, maxLoss)
		}
		shares += a.Share
	}
	if shares != 100 {
		return fmt.Errorf("access: the shares make %d, and should make 100", shares)
	}
	return nil
}

func (s *Scenario) checkTrouble() error {
	t := &s.Trouble
	for _, name := range append([]string{t.Outage}, t.Reroute...) {
		if !slices.Contains(s.Regions, name) {
			return fmt.Errorf("trouble: %q is not among the regions", name)
		}
	}
	ok := func(at, length time.Duration) bool { return at >= 0 && length > 0 && at+length <= t.For }
	switch {
	case len(t.Reroute) == 0:
		return errors.New("trouble.reroute: want a region or more; a detour of 0s is none")
	case t.Outage == s.Core:
		return fmt.Errorf("trouble.outage: %s is the core's region, whose edges can't be told from the core here", t.Outage)
	case t.For <= 0 || t.For > maxFor:
		return fmt.Errorf("trouble.for: want more than 0, at most %v", maxFor)
	case !ok(t.OutageAt, t.OutageFor) || !ok(t.RerouteAt, t.RerouteFor):
		return fmt.Errorf("trouble: an outage or a detour isn't within the %v of all", t.For)
	case t.Detour < 0 || t.Detour > time.Second:
		return errors.New("trouble.detour: want 0 to 1s")
	}
	return nil
}
