package mega

import (
	"errors"
	"fmt"

	"selvedge/simulations/load"
)

// Scenario is the sizes of both parts. It is plain data.
type Scenario struct {
	Mega  Channel `yaml:"mega"`
	Rooms Rooms   `yaml:"rooms"`
}

// Channel is the mega-channel: everybody on every edge is a member of one room.
type Channel struct {
	Edges          int     `yaml:"edges"`   // gateways: real processes
	Regions        int     `yaml:"regions"` // that they take turns in; each has its relays
	SocketsPerEdge int     `yaml:"sockets_per_edge"`
	InFlight       int     `yaml:"in_flight"`     // of these, in all, between connection and welcome at once
	MessageBytes   int     `yaml:"message_bytes"` // of JSON, on the mean
	Publishes      int     `yaml:"publishes"`     // each beside one of the floor; one more comes first and isn't counted
	Gateways       int     `yaml:"gateways"`      // publishes to one gateway's members alone; they take turns
	Idle           float64 `yaml:"idle"`          // seconds, for how long the fleet is looked at while nothing is published
}

// Rooms is one room against a channel for each of its members.
type Rooms struct {
	Members      int `yaml:"members"` // of the room, and channels of the largest loop
	Sockets      int `yaml:"sockets"` // so many of them are connected, and channels of the smaller loop
	Edges        int `yaml:"edges"`   // each in a region of its own
	MessageBytes int `yaml:"message_bytes"`
	Publishes    int `yaml:"publishes"` // to the room
	AtOnce       int `yaml:"at_once"`   // connections of the caller that has several
	Batch        int `yaml:"batch"`     // messages of the caller that sends several in a call
	// Most bounds a loop, in seconds: of one that would take longer a part is
	// published, and the rest computed from it.
	Most float64 `yaml:"most"`
}

// Default is the scenario of a full run.
func Default() Scenario {
	return Scenario{
		Mega:  Channel{Edges: 100, Regions: 25, SocketsPerEdge: 1000, InFlight: 8, MessageBytes: 1024, Publishes: 9, Gateways: 20, Idle: 5},
		Rooms: Rooms{Members: 100_000, Sockets: 10_000, Edges: 3, MessageBytes: 1024, Publishes: 9, AtOnce: 16, Batch: 500, Most: 60},
	}
}

// Quick makes s small: each part takes seconds.
func (s *Scenario) Quick() {
	m, r := &s.Mega, &s.Rooms
	m.Edges, m.Regions, m.SocketsPerEdge = min(m.Edges, 4), min(m.Regions, 2), min(m.SocketsPerEdge, 250)
	m.Publishes, m.Gateways, m.Idle = min(m.Publishes, 3), min(m.Gateways, 4), min(m.Idle, 1)
	r.Members, r.Sockets, r.Edges = min(r.Members, 2000), min(r.Sockets, 500), min(r.Edges, 2)
	r.Publishes, r.Most = min(r.Publishes, 3), min(r.Most, 2)
}

// Bounds of a scenario.
const (
	maxEdges     = 200
	maxRegions   = 40
	maxPerEdge   = 18_000
	maxBytes     = 16 << 10
	maxPublishes = 1000
	maxMembers   = 100_000 // that one call joins
	maxAtOnce    = 256
	maxInFlight  = 1000
	maxSeconds   = 600
)

// Check reports which sizes can't be.
func (s *Scenario) Check() error {
	var errs []error
	number := func(name string, n, least, most int) {
		if n < least || n > most {
			errs = append(errs, fmt.Errorf("%s: %d, want %d to %d", name, n, least, most))
		}
	}
	seconds := func(name string, v float64) {
		if !(v > 0 && v <= maxSeconds) { // NaN, too
			errs = append(errs, fmt.Errorf("%s: %v, want more than 0 and at most %d seconds", name, v, maxSeconds))
		}
	}
	m, r := &s.Mega, &s.Rooms
	number("mega.edges", m.Edges, 1, maxEdges)
	number("mega.regions", m.Regions, 1, maxRegions)
	number("mega.sockets_per_edge", m.SocketsPerEdge, 1, maxPerEdge)
	number("mega.edges x mega.sockets_per_edge", m.sockets(), 1, maxMembers)
	number("mega.in_flight", m.InFlight, 1, maxInFlight)
	number("mega.message_bytes", m.MessageBytes, 1, maxBytes)
	number("mega.publishes", m.Publishes, 1, maxPublishes)
	number("mega.gateways", m.Gateways, 1, maxPublishes)
	seconds("mega.idle", m.Idle)
	number("rooms.members", r.Members, 1, maxMembers)
	number("rooms.sockets", r.Sockets, 1, min(max(r.Members, 1), load.MaxSockets*max(r.Edges, 1)))
	number("rooms.edges", r.Edges, 1, maxRegions)
	number("rooms.message_bytes", r.MessageBytes, 1, maxBytes)
	number("rooms.publishes", r.Publishes, 1, maxPublishes)
	number("rooms.at_once", r.AtOnce, 1, maxAtOnce)
	number("rooms.batch", r.Batch, 1, (8<<20)/max(r.MessageBytes, 1))
	seconds("rooms.most", r.Most)
	return errors.Join(errs...)
}

func (m *Channel) sockets() int { return m.Edges * m.SocketsPerEdge }
