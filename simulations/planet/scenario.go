package planet

import (
	"fmt"

	"selvedge/simulations/scenario"
	"selvedge/topology/region"
)

// Scenario is what is assumed of the world. It is plain data: printed in the report, it
// can be had again.
type Scenario struct {
	Users   []float64 `yaml:"users"` // registered; the sizes of cluster that are looked at, rising
	Edges   []int     `yaml:"edges"` // in all regions together, rising
	Draws   int       `yaml:"draws"` // of the uncertain figures
	Core    string    `yaml:"core"`  // region of the cores
	Regions []Share   `yaml:"regions"`

	People People  `yaml:"people"`
	Rooms  []Class `yaml:"rooms"` // of messages: how large the room is that one goes to

	EdgeMachine  Machine `yaml:"edge_machine"`
	CoreMachine  Machine `yaml:"core_machine"`
	Cores        int     `yaml:"cores"`         // copies of the logs
	Logs         int     `yaml:"logs"`          // frame logs, fixed for a cluster's life
	LogBytes     float64 `yaml:"log_bytes"`     // what each keeps
	Target       float64 `yaml:"target"`        // how busy a machine shall be at its peak, 0 to 1
	MostEdges    int     `yaml:"most_edges"`    // where a fleet that grows ends
	KeepMinutes  float64 `yaml:"keep_minutes"`  // how much of the logs must be there for those who come back
	RecoverHours float64 `yaml:"recover_hours"` // how long a core may take to build its view again
}

// Share is a part of all users, who live in a region.
type Share struct {
	Region string  `yaml:"region"`
	Share  float64 `yaml:"share"` // of 1
}

// Range is an uncertain figure: in 5, 50 and 95 of 100 cases it is at most these. Its
// logarithm is normal to either side of the middle.
type Range struct {
	Low    float64 `yaml:"low"`
	Mid    float64 `yaml:"mid"`
	High   float64 `yaml:"high"`
	Source string  `yaml:"source"`
}

// People is what users do, at their region's busiest hour where a time is meant.
type People struct {
	Online     Range `yaml:"online"`     // the part with a socket
	AtNight    Range `yaml:"at_night"`   // of these, the part that stays at the quietest hour
	Sessions   Range `yaml:"sessions"`   // sockets of one who is online
	Messages   Range `yaml:"messages"`   // sent by one who is online, per hour
	Bytes      Range `yaml:"bytes"`      // of a message
	Locality   Range `yaml:"locality"`   // the part of a room's members in its author's region; the others are spread
	RoomSize   Range `yaml:"room_size"`  // times all sizes of rooms
	Reconnects Range `yaml:"reconnects"` // of a socket, per hour
	Questions  Range `yaml:"questions"`  // of a socket, per second
	Rooms      Range `yaml:"rooms"`      // that a user is in
	Joins      Range `yaml:"joins"`      // joins, leaves and changed documents of a user per day
}

// Class is a class of rooms. Within it, sizes are log-normal.
type Class struct {
	Name    string  `yaml:"name"`
	Share   float64 `yaml:"share"`   // of messages, of 1
	Members float64 `yaml:"members"` // median
	Spread  float64 `yaml:"spread"`  // what is so many times the median is larger than 84 of 100; 1 = all alike
}

// Machine is what a node runs on.
type Machine struct {
	CPUs    float64 `yaml:"cpus"`
	GiB     float64 `yaml:"gib"`
	Gbit    float64 `yaml:"gbit"`    // of its network, out
	DiskMB  float64 `yaml:"disk_mb"` // written per second; 0 = writes nothing
	Sockets float64 `yaml:"sockets"` // that it shall hold at most; 0 = none
}

// Default is the scenario of a full run.
func Default() Scenario {
	return Scenario{
		Users: []float64{10e6, 30e6, 100e6, 300e6, 1e9}, Edges: []int{20, 60, 200, 600, 2000}, Draws: 1000, Core: "eastus",
		Regions: []Share{
			{"eastus", 0.14},
			{"canadacentral", 0.03},
			{"westus2", 0.07},
			{"brazilsouth", 0.09},
			{"uksouth", 0.07},
			{"germanywestcentral", 0.12},
			{"southafricanorth", 0.04},
			{"uaenorth", 0.05},
			{"centralindia", 0.16},
			{"southeastasia", 0.13},
			{"japaneast", 0.07},
			{"australiaeast", 0.03},
		},
		People: People{
			Online:     Range{0.05, 0.15, 0.3, "assumption"},
			AtNight:    Range{0.2, 0.4, 0.8, "assumption: phones stay connected"},
			Sessions:   Range{1, 1.3, 1.8, "assumption"},
			Messages:   Range{1, 4, 15, "assumption"},
			Bytes:      Range{400, 1024, 2000, "assumption: the measurements' 1 KiB"},
			Locality:   Range{0.4, 0.75, 0.95, "assumption"},
			RoomSize:   Range{0.4, 1, 2.5, "assumption"},
			Reconnects: Range{0.3, 1, 4, "assumption"},
			Questions:  Range{0.05, 0.15, 0.4, "Slack, Flannel (2017): 4 M sockets, 600,000 queries/s; the range is assumed"},
			Rooms:      Range{8, 20, 60, "assumption: the measurements' 20"},
			Joins:      Range{0.2, 1, 5, "assumption"},
		},
		Rooms: []Class{
			{"two people", 0.4, 2, 1}, {"a group", 0.35, 8, 1.8}, {"a team", 0.2, 60, 2.2}, {"a large room", 0.0499, 1000, 2.5}, {"a mega room", 0.0001, 50_000, 2},
		},
		EdgeMachine: Machine{CPUs: 16, GiB: 32, Gbit: 7.5, Sockets: 480_000},
		CoreMachine: Machine{CPUs: 64, GiB: 512, Gbit: 30, DiskMB: 1000},
		Cores:       3, Logs: 16, LogBytes: 16 << 30, Target: 0.6, MostEdges: 20_000, KeepMinutes: 15, RecoverHours: 1,
	}
}

// Quick makes s small: bands rest on few draws.
func (s *Scenario) Quick() { s.Draws = min(s.Draws, 100) }

// String is s as a file that --scenario reads.
func (s *Scenario) String() string { return scenario.Text(s) }

// regions are those of the shares.
func (s *Scenario) regions() ([]region.Region, error) {
	var out []region.Region
	for _, share := range s.Regions {
		r, ok := region.Lookup(share.Region)
		if !ok {
			_, err := region.Parse(share.Region)
			if err == nil {
				err = fmt.Errorf("%q: take a known one", share.Region)
			}
			return nil, fmt.Errorf("regions: %w", err)
		}
		out = append(out, r)
	}
	return out, nil
}
