package simulate

import (
	"selvedge/simulations/fanout"
	"selvedge/simulations/geo"
	"selvedge/simulations/million"
	"selvedge/simulations/planet"
	"selvedge/simulations/router"
	"selvedge/simulations/storm"
)

// Command is `selvedge simulate`.
type Command struct {
	Geo geo.Command `cmd:"" help:"How far a message travels: a core, edges in twelve regions, clients everywhere."`

	Storm        storm.Command        `cmd:"" help:"Many lose their connections at once: an edge is killed, and an office of 20,000 loses its network and returns."`
	StormMembers storm.MembersCommand `cmd:"" hidden:""`

	Million million.Command `cmd:"" help:"A million real WebSockets on this machine: what each takes, and one message to all of them."`

	TCP    router.TCPCommand    `cmd:"" name:"tcp" help:"Measure this kernel's TCP over a router that delays and loses: what the simulated one is held to. As root."`
	Router router.Command       `cmd:"" hidden:""`
	Within router.WithinCommand `cmd:"" hidden:""`

	Fanout        fanout.Command        `cmd:"" help:"One message to N gateways: Redis pub/sub, links from the core, relays and edges."`
	FanoutClients fanout.ClientsCommand `cmd:"" hidden:""`

	Planet planet.Command `cmd:"" help:"Past the machine: up to a billion users, by a model that the others' measurements calibrate."`
}
