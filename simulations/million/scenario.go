package million

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"selvedge/edge"
	"selvedge/simulations/load"
	"selvedge/simulations/scenario"
	"selvedge/topology/region"
)

// Scenario is all that a run depends on beside its seed and the code. It is plain
// data: printed in the report, it can be had again.
type Scenario struct {
	Sockets        int `yaml:"sockets"`
	EdgeSockets    int `yaml:"edge_sockets"`    // at most so many at an edge
	ProcessSockets int `yaml:"process_sockets"` // at most so many in a load process
	// Regions are taken by edges in turn; there is no latency between them. Edges of one
	// region feed each other, which costs CPU also while nothing happens.
	Regions []string `yaml:"regions"`

	// Everyone is in one room of all, and in one of the rooms of Team members,
	// which are spread over the edges.
	Team int `yaml:"team"`

	InFlight int           `yaml:"in_flight"` // sockets between connection and welcome at once
	Ping     time.Duration `yaml:"ping"`      // of the edges; 0 = theirs, or as seldom as the machine needs it
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
		Regions: slices.Clone(oneEach),
		Team:    100, InFlight: 424, Settle: 40 * time.Second, Idle: time.Minute,
		MessageBytes: 512, Publishes: 5, TeamPublishes: 100, Patience: time.Minute,
		Estimate: Estimate{
			KernelBytes: 8700, EdgeBytes: 2000, ClientBytes: 800, CoreBytes: 2000, EdgeMiB: 12, LoadMiB: 8, CoreMiB: 100,
			UnreadBytes: 800, ReserveMiB: 1024, ProcessThreads: 16, ProcessFiles: 100, ConntrackFactor: 1,
		},
	}
}

// oneEach are as many regions as a million sockets have edges.
var oneEach = strings.Fields(`us-east-1 us-east-2 us-west-1 us-west-2 ca-central-1 ca-west-1 mx-central-1 sa-east-1 eu-west-1 eu-west-2 eu-west-3 eu-central-1
	eu-central-2 eu-north-1 eu-south-1 eu-south-2 il-central-1 me-south-1 me-central-1 af-south-1 ap-south-1 ap-south-2 ap-southeast-1 ap-southeast-2 ap-southeast-3
	ap-southeast-4 ap-southeast-5 ap-southeast-7 ap-east-1 ap-east-2 ap-northeast-1 ap-northeast-2 ap-northeast-3 us-central1 us-east4 us-east5 us-south1 us-west2
	us-west3 us-west4 northamerica-northeast1 northamerica-south1 southamerica-west1 europe-west1 europe-west4 europe-west10 europe-north1 asia-south1 asia-southeast2
	asia-east1 asia-east2 asia-northeast1 australia-southeast1`)

const (
	usualPing = 25 * time.Second // an edge's
	// cpuPings is how many pings a second a CPU is to have at most, of the 19,000 that
	// fill one, the client's half included.
	cpuPings = 1700
)

// pace sets the time between pings, if it is to be chosen: with all of them at the
// usual time, a million sockets keep four CPUs busy with nothing else.
func (s *Scenario) pace(cpus int) {
	if s.Ping > 0 {
		return
	}
	s.Ping = usualPing
	if most := float64(cpuPings * cpus); float64(s.Sockets)/usualPing.Seconds() > 3*most {
		s.Ping = min(time.Duration(float64(s.Sockets)/most)*time.Second, edge.MaxPing)
	}
}

// Quick makes s small: a run takes seconds, and its figures mean little.
func (s *Scenario) Quick() {
	s.Sockets = min(s.Sockets, 20_000)
	s.EdgeSockets, s.ProcessSockets = min(s.EdgeSockets, 5000), min(s.ProcessSockets, 10_000)
	s.Ping, s.Settle, s.Idle = 5*time.Second, min(s.Settle, 6*time.Second), min(s.Idle, 5*time.Second)
	s.Publishes, s.TeamPublishes = min(s.Publishes, 3), min(s.TeamPublishes, 20)
}

// String is s as a file that --scenario reads.
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
	between := func(name string, d, least, most time.Duration) error {
		if d >= least && d <= most {
			return nil
		}
		return fmt.Errorf("%s: %v; want %v to %v", name, d, least, most)
	}
	span := func(name string, d, least time.Duration) error { return between(name, d, least, maxTime) }
	errs := []error{
		number("sockets", s.Sockets, 1, maxSockets), number("edge_sockets", s.EdgeSockets, 1, load.MaxSockets),
		number("process_sockets", s.ProcessSockets, 1, load.MaxSockets), number("regions", len(s.Regions), 1, 100),
		number("team", s.Team, 1, 100_000), number("in_flight", s.InFlight, 1, 100_000), number("message_bytes", s.MessageBytes, 0, maxMessageBytes),
		number("publishes", s.Publishes, 1, maxPublishes), number("team_publishes", s.TeamPublishes, 1, maxPublishes),
		between("ping", cmp.Or(s.Ping, usualPing), time.Second, edge.MaxPing), span("settle", s.Settle, 0), span("idle", s.Idle, time.Second), span("patience", s.Patience, time.Second),
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
