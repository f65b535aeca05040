package faults

import (
	"os"
	"testing"
	"time"

	"selvedge/core"
	"selvedge/edge"
	"selvedge/simulations/fleet/fleettest"
)

// binary is what the scenarios start: this test's own.
type binary struct {
	Core  core.Command `cmd:""`
	Edge  edge.Command `cmd:""`
	Bench struct {
		Faults       Command        `cmd:""`
		FaultMembers MembersCommand `cmd:""`
	} `cmd:""`
}

// TestMain makes this test's binary a node, or members, where it is started as
// one.
func TestMain(m *testing.M) { fleettest.Main(m, new(binary)) }

// played runs a scenario in small, on nodes with env added. Nothing may be
// delivered for as long as stall.
func played(t *testing.T, s scenario, stall time.Duration, env ...string) error {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := &run{Command: &Command{Quick: true, Rate: 1000, Sockets: 20}, name: s.name, binary: path, env: env, stall: stall, stderr: t.Output()}
	return r.play(t.Context(), s.run)
}
