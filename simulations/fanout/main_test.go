package fanout

import (
	"testing"

	"selvedge/core"
	"selvedge/edge"
	"selvedge/simulations/bench"
	"selvedge/simulations/fleet/fleettest"
)

// commands are what the simulation starts: this test's own.
type commands struct {
	Core     core.Command  `cmd:""`
	Edge     edge.Command  `cmd:""`
	Bench    bench.Command `cmd:""`
	Simulate struct {
		Fanout        Command        `cmd:""`
		FanoutClients ClientsCommand `cmd:""`
	} `cmd:""`
}

// TestMain makes this test's binary a node, gateways or the whole command, where it
// is started as one.
func TestMain(m *testing.M) { fleettest.Main(m, new(commands)) }
