package mega

import (
	"testing"

	"selvedge/core"
	"selvedge/edge"
	"selvedge/simulations/bench"
	"selvedge/simulations/fleet/fleettest"
)

// commands are what the measurements start: this test's own.
type commands struct {
	Core  core.Command  `cmd:""`
	Edge  edge.Command  `cmd:""`
	Bench bench.Command `cmd:""`
}

// TestMain makes this test's binary a node, clients or a floor, where it is started
// as one.
func TestMain(m *testing.M) { fleettest.Main(m, new(commands)) }
