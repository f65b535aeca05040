package million

import (
	"errors"
	"fmt"
	"time"

	"selvedge/simulations/load"
	"selvedge/simulations/scenario"
	"selvedge/topology/region"
)

// Scenario is all that a run depends on beside its seed and the code. It is plain
// data: printed in the report, it can be had again.
type Scenario struct {
	Sockets        int      `yaml:"sockets"`
	EdgeSockets    int      `yaml:"edge_sockets"`    // at most so many at an edge
	ProcessSockets int      `yaml:"process_sockets"` // at most so many in a load process
	Regions        []string `yaml:"regions"`         // edges take them in turn; there is no latency between them

	// Everyone is in one room of all, and in one of the rooms of Team members,
	// which are spread over the edges.
	Team int `yaml:"team"`

	InFlight int           `yaml:"in_flight"` // sockets between connection and welcome at once
	Ping     time.Duration `yaml:"ping"`      // of the edges
	Settle   time.Duration `yaml:"settle"`    // from the last welcome to the look at the memory
	Idle     time.Duration `yaml:"idle"`      // how long is looked at the idle CPU

	MessageBytes  int           `yaml:"message_bytes"` // of JSON
	Publishes     int           `yaml:"publishes"`     // to all, one after the other
	TeamPublishes int           `yaml:"team_publishes"`
	Patience      time.Duration `yaml:"patience"` // how long nothing may come before the rest counts as lost

	Estimate Estimate `yaml:"estimate"`
}

// Estimate is what the machine is checked against before the start. Measured
// with 100,000 sockets: see docs/simulations.md.
type Estimate struct {
	KernelBytes     int64 `yaml:"kernel_bytes"` // per socket, both of its ends
	EdgeBytes       int64 `yaml:"edge_bytes"`   // per socket
	ClientBytes     int64 `yaml:"client_bytes"` // per socket
	CoreBytes       int64 `yaml:"core_bytes"`   // per user, with its memberships
	EdgeMiB         int64 `yaml:"edge_mib"`     // per process, without sockets
	LoadMiB         int64 `yaml:"load_mib"`     // per process, without sockets
	CoreMiB         int64 `yaml:"core_mib"`
	UnreadBytes     int64 `yaml:"unread_bytes"`     // what one message takes in a socket's buffer, beside its own bytes
	ReserveMiB      int64 `yaml:"reserve_mib"`      // that must be available at any time: below it, the run stops
	ProcessThreads  int64 `yaml:"process_threads"`  // of one process
	ProcessFiles    int64 `yaml:"process_files"`    // of one process, beside its sockets
	ConntrackFactor int64 `yaml:"conntrack_factor"` // entries of the connection table per socket, where it is in use
}

// Default is the scenario of a full run.
func Default() Scenario {
	return Scenario{
		Sockets: 1_000_000, EdgeSockets: 18_900, ProcessSockets: load.MaxSockets,
		Regions: []string{"eastus", "uksouth", "brazilsouth", "japaneast"},
		Team:    100, InFlight: 212, Ping: 25 * time.Second, Settle: 40 * time.Second, Idle: time.Minute,
		MessageBytes: 512, Publishes: 5, TeamPublishes: 100, Patience: time.Minute,
		Estimate: Estimate{
			KernelBytes: 8700, EdgeBytes: 2000, ClientBytes: 800, CoreBytes: 2000, EdgeMiB: 12, LoadMiB: 8, CoreMiB: 100,
			UnreadBytes: 800, ReserveMiB: 1024, ProcessThreads: 16, ProcessFiles: 100, ConntrackFactor: 1,
		},
	}
}

// Quick makes s small: a run takes seconds, and its figures mean little.
func (s *Scenario) Quick() {
	s.Sockets = min(s.Sockets, 20_000)
	s.EdgeSockets, s.ProcessSockets = min(s.EdgeSockets, 5000), min(s.ProcessSockets, 10_000)
	s.Ping, s.Settle, s.Idle = min(s.Ping, 5*time.Second), min(s.Settle, 6*time.Second), min(s.Idle, 5*time.Second)
	s.Publishes, s.TeamPublishes = min(s.Publishes, 3), min(s.TeamPublishes, 20)
}

// Load reads a scenario from a file of YAML or JSON. What it doesn't say is Default's;
// what no scenario has is an error.
func Load(file string) (Scenario, error) {
	s := Default()
	return s, scenario.Load(file, &s)
}

// String is s as a file that Load reads.
func (s *Scenario) String() string { return scenario.Text(s) }

// Bounds of a scenario.
const (
	maxSockets      = 4_000_000
	maxMessageBytes = 8 << 10
	maxPublishes    = 10_000
	maxTime         = time.Hour
)

// Check implements scenario.Scenario.
func (s *Scenario) Check() error {
	number := func(name string, n, least, most int) error {
		if n >= least && n <= most {
			return nil
		}
		return fmt.Errorf("%s: %d; want %d to %d", name, n, least, most)
	}
	span := func(name string, d, least time.Duration) error {
		if d >= least && d <= maxTime {
			return nil
		}
		return fmt.Errorf("%s: %v; want %v to %v", name, d, least, maxTime)
	}
	errs := []error{
		number("sockets", s.Sockets, 1, maxSockets), number("edge_sockets", s.EdgeSockets, 1, load.MaxSockets),
		number("process_sockets", s.ProcessSockets, 1, load.MaxSockets), number("regions", len(s.Regions), 1, 100),
		number("team", s.Team, 1, 100_000), number("in_flight", s.InFlight, 1, 100_000), number("message_bytes", s.MessageBytes, 0, maxMessageBytes),
		number("publishes", s.Publishes, 1, maxPublishes), number("team_publishes", s.TeamPublishes, 1, maxPublishes),
		span("ping", s.Ping, time.Second), span("settle", s.Settle, 0), span("idle", s.Idle, time.Second), span("patience", s.Patience, time.Second),
		s.Estimate.check(),
	}
	for _, name := range s.Regions {
		if _, err := region.Parse(name); err != nil {
			errs = append(errs, fmt.Errorf("regions: %w", err))
		}
	}
	return errors.Join(errs...)
}

func (e *Estimate) check() error {
	for _, n := range []int64{
		e.KernelBytes, e.EdgeBytes, e.ClientBytes, e.CoreBytes, e.EdgeMiB, e.LoadMiB, e.CoreMiB, e.UnreadBytes, e.ReserveMiB,
		e.ProcessThreads, e.ProcessFiles, e.ConntrackFactor,
	} {
		if n < 0 || n > 1<<30 {
			return fmt.Errorf("estimate: %d; want 0 to %d", n, 1<<30)
		}
	}
	return nil
}

func (s *Scenario) edges() int     { return split(s.Sockets, s.EdgeSockets) }
func (s *Scenario) processes() int { return split(s.Sockets, s.ProcessSockets) }
func (s *Scenario) teams() int     { return split(s.Sockets, s.Team) }

// members is how many users of those from number first on are in a team. Neighbours
// by number, who are in one load process, are in different ones.
func (s *Scenario) members(team, first, count int) int {
	below := func(n int) int { return (n - team + s.teams() - 1) / s.teams() } // of the first n, for n above team
	upto := func(n int) int {
		if n <= team {
			return 0
		}
		return below(n)
	}
	return upto(first+count) - upto(first)
}

// split is how many parts of at most size n needs, one at least.
func split(n, size int) int { return max((n+size-1)/size, 1) }
