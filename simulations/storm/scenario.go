package storm

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"selvedge/simulations/scenario"
	"selvedge/topology/region"
)

// Scenario is all that a run depends on beside its seed and the code. It is plain
// data: printed in the report, it can be had again.
type Scenario struct {
	Edge   Edge   `yaml:"edge"`   // the edge that is killed: real processes
	Office Office `yaml:"office"` // the office without a network: virtual
}

// Edge is one of several edges of a region that is killed, with all its sockets.
type Edge struct {
	Sockets   int `yaml:"sockets"`   // of the edge that is killed
	Siblings  int `yaml:"siblings"`  // edges beside it
	Residents int `yaml:"residents"` // sockets of each sibling, which stay
	Rooms     int `yaml:"rooms"`
	RoomsEach int `yaml:"rooms_each"`
	// PublishesPerSecond are in all; each goes to one room.
	PublishesPerSecond float64 `yaml:"publishes_per_second"`
	Runs               int     `yaml:"runs"` // with a cluster of their own each; medians are told
}

// Office are clients that share one access, and its edges.
type Office struct {
	Clients   int    `yaml:"clients"`
	Addresses int    `yaml:"addresses"` // public ones, that the clients share
	Core      string `yaml:"core"`      // region of the core
	Region    string `yaml:"region"`    // of the edges and of the office
	Edges     int    `yaml:"edges"`
	// AcceptRate is how many new sockets an edge takes per second, as --accept-rate.
	AcceptRate         float64       `yaml:"accept_rate"`
	Access             Access        `yaml:"access"`
	Rooms              int           `yaml:"rooms"`
	RoomsEach          int           `yaml:"rooms_each"`
	PublishesPerSecond float64       `yaml:"publishes_per_second"`
	Outage             time.Duration `yaml:"outage"` // how long the office has no network
	Variants           []Variant     `yaml:"variants"`
}

// Access is the office's link, and the way to the edges. All of it is assumed.
type Access struct {
	Megabits float64       `yaml:"megabits"` // per second each way; 0 = any
	QueueKiB int           `yaml:"queue_kib"`
	Delay    time.Duration `yaml:"delay"`  // one way
	Jitter   time.Duration `yaml:"jitter"` // its mean, exponentially distributed
	Loss     float64       `yaml:"loss"`
}

// Variant is one of the office's worlds: what differs from the others.
type Variant struct {
	Name string `yaml:"name" json:"name"`
	// Unreachable has connections fail at once while there is no network, as where the
	// office's own part of it is down. Else packets vanish, as where its uplink is: who
	// connects then waits for TCP to try again.
	Unreachable bool `yaml:"unreachable" json:"unreachable"`
	// Told has every client told that the network is back, in the moment in which it is,
	// as operating systems do: none waits for a timer of its own. Else they are not told,
	// and their backoff's jitter spreads them.
	Told bool `yaml:"told" json:"told"`
	// CoreAway is how much longer than the office the core is without a network; 0 = it
	// never is.
	CoreAway time.Duration `yaml:"core_away" json:"core_away_ns"`
	// Megabits takes the place of the access's; 0 = not.
	Megabits float64 `yaml:"megabits" json:"megabits"`
}

// Default is the scenario of a full run.
func Default() Scenario {
	return Scenario{
		Edge: Edge{Sockets: 10_000, Siblings: 2, Residents: 1000, Rooms: 200, RoomsEach: 5, PublishesPerSecond: 20, Runs: 5},
		Office: Office{
			Clients: 20_000, Addresses: 16, Core: "eastus", Region: "germanywestcentral", Edges: 4, AcceptRate: 1000,
			Access: Access{Megabits: 1000, QueueKiB: 4096, Delay: 4 * time.Millisecond, Jitter: 500 * time.Microsecond, Loss: 0.0001},
			Rooms:  400, RoomsEach: 5, PublishesPerSecond: 2, Outage: time.Minute,
			Variants: []Variant{
				{Name: "jitter", Unreachable: true},
				{Name: "all at once", Unreachable: true, Told: true},
				{Name: "uplink"},
				{Name: "core away, too", Unreachable: true, CoreAway: 20 * time.Second},
			},
		},
	}
}

// Quick makes s small: a run takes seconds, and its figures mean little.
func (s *Scenario) Quick() {
	e, o := &s.Edge, &s.Office
	e.Sockets, e.Residents, e.Runs = min(e.Sockets, 1000), min(e.Residents, 100), min(e.Runs, 1)
	if o.Clients > 1000 { // the same storm in small: rates go with it
		part := 1000 / float64(o.Clients)
		o.Clients, o.AcceptRate = 1000, max(20, o.AcceptRate*part)
		o.Access.Megabits *= part
		o.Access.QueueKiB = max(64, int(float64(o.Access.QueueKiB)*part))
		for i := range o.Variants {
			o.Variants[i].Megabits *= part
		}
	}
}

// String is s as a file that --scenario reads.
func (s *Scenario) String() string { return scenario.Text(s) }

// Bounds of a scenario: numbers of hosts and files, and some memory.
const (
	maxSockets   = 18_000 // an edge's file limit
	maxSiblings  = 8
	maxRooms     = 10_000
	leastRate    = 0.01 // per second: an event in 100 s
	maxPublishes = 1000
	maxRuns      = 50
	maxClients   = 40_000
	maxAddresses = 64
	// perAddress is how many clients an address has ports for, with one that is left
	// behind for each.
	perAddress  = 14_000
	maxEdges    = 32
	maxOutage   = 10 * time.Minute
	maxVariants = 8
	maxMegabits = 1e6
	// maxQueue is what a packet waits for the access, in seconds: where it is more, nothing
	// is shown but TCP, whose timeouts send again what still waits.
	maxQueue = 4
)

// Check implements scenario.Scenario.
func (s *Scenario) Check() error {
	e, o := &s.Edge, &s.Office
	within := func(name string, n, least, most int) error {
		if n < least || n > most {
			return fmt.Errorf("%s: want %d to %d", name, least, most)
		}
		return nil
	}
	rate := func(name string, v, most float64) error {
		if v >= leastRate && v <= most { // false for NaN
			return nil
		}
		return fmt.Errorf("%s: want %v to %v", name, leastRate, most)
	}
	errs := []error{
		within("edge.sockets", e.Sockets, 1, maxSockets),
		within("edge.siblings", e.Siblings, 1, maxSiblings),
		within("edge.residents", e.Residents, 1, maxSockets),
		within("edge.rooms", e.Rooms, 1, maxRooms),
		within("edge.rooms_each", e.RoomsEach, 1, 100),
		rate("edge.publishes_per_second", e.PublishesPerSecond, maxPublishes),
		within("edge.runs", e.Runs, 1, maxRuns),
		within("office.clients", o.Clients, 1, maxClients),
		within("office.addresses", o.Addresses, 1+o.Clients/perAddress, maxAddresses),
		within("office.edges", o.Edges, 1, maxEdges),
		within("office.rooms", o.Rooms, 1, maxRooms),
		within("office.rooms_each", o.RoomsEach, 1, 100),
		rate("office.accept_rate", o.AcceptRate, 1e6),
		rate("office.publishes_per_second", o.PublishesPerSecond, maxPublishes),
		within("office.access.queue_kib", o.Access.QueueKiB, 16, 1<<20),
		within("office.variants", len(o.Variants), 1, maxVariants),
		o.check(),
	}
	if n := e.Sockets/e.Siblings + e.Residents; n > maxSockets {
		errs = append(errs, fmt.Errorf("edge: a sibling would get %d sockets, at most %d", n, maxSockets))
	}
	return errors.Join(errs...)
}

func (o *Office) check() error {
	for _, name := range []string{o.Core, o.Region} {
		if _, ok := region.Lookup(name); !ok {
			return fmt.Errorf("office: no region with round trips is named %q", name)
		}
	}
	seen := map[string]bool{}
	for _, v := range o.Variants {
		if v.Name == "" || seen[v.Name] {
			return fmt.Errorf("office.variants: each wants a name of its own; %q is not", v.Name)
		}
		seen[v.Name] = true
		if rate := cmp.Or(v.Megabits, o.Access.Megabits); rate > 0 {
			if waits := float64(o.Access.QueueKiB) * 1024 * 8 / 1e6 / rate; waits > maxQueue {
				return fmt.Errorf("office.access.queue_kib: with %g Mbit/s a packet would wait for %.0f s in the queue, at most %d", rate, waits, maxQueue)
			}
		}
		if v.CoreAway < 0 || v.CoreAway > maxOutage || !(v.Megabits >= 0 && v.Megabits <= maxMegabits) { // true for NaN
			return fmt.Errorf("office.variants: %s: want core_away of 0 to %v, and megabits of 0 to %.0f", v.Name, maxOutage, maxMegabits)
		}
	}
	a := &o.Access
	switch {
	case o.Outage <= 0 || o.Outage > maxOutage:
		return fmt.Errorf("office.outage: want more than 0, at most %v", maxOutage)
	case !(a.Megabits >= 0 && a.Megabits <= maxMegabits) || !(a.Loss >= 0 && a.Loss <= 0.1) || a.Delay < 0 || a.Delay > time.Second || a.Jitter < 0 || a.Jitter > time.Second:
		return fmt.Errorf("office.access: want megabits of 0 to %.0f, a delay and a jitter up to 1s, a loss up to 0.1", maxMegabits)
	}
	return nil
}
