package million

import (
	"testing"

	"selvedge/core"
	"selvedge/edge"
	"selvedge/simulations/bench"
	"selvedge/simulations/fleet/fleettest"
)

// binary is what the simulation starts: this test's own.
type binary struct {
	Core    core.Command  `cmd:""`
	Edge    edge.Command  `cmd:""`
	Bench   bench.Command `cmd:""`
	Million Command       `cmd:""`
}

// TestMain makes this test's binary a node or clients, where it is started as one.
func TestMain(m *testing.M) { fleettest.Main(m, new(binary)) }
