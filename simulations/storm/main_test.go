package storm

import (
	"os"
	"testing"

	"github.com/nats-io/nats-server/v2/server/ats"
	"go.uber.org/goleak"

	"selvedge/core"
	"selvedge/edge"
	"selvedge/simulations/fleet/fleettest"
)

// binary is what the real storm starts: this test's own.
type binary struct {
	Core     core.Command `cmd:""`
	Edge     edge.Command `cmd:""`
	Simulate struct {
		Storm        Command        `cmd:""`
		StormMembers MembersCommand `cmd:""`
	} `cmd:""`
}

func TestMain(m *testing.M) {
	ats.Register() // its goroutine must not belong to a bubble
	fleettest.Main(m, new(binary), goleak.Cleanup(func(code int) {
		ats.Unregister()
		os.Exit(code)
	}), goleak.IgnoreTopFunction("github.com/nats-io/nats-server/v2/server/ats.Register.func1"))
}
