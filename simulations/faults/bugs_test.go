//go:build bugs

package faults

import (
	"errors"
	"testing"
	"time"

	"selvedge/internal/bug"
)

// soon is enough where nothing more is to come.
const soon = 3 * time.Second

// Each defect that is planted is found, by the scenario that is green without
// it (TestPromisesAreKept).
func TestPlantedBugsAreFound(t *testing.T) {
	t.Parallel()
	for name, s := range map[bug.Name]scenario{
		bug.HiddenTrim:     retention,
		bug.OneCursor:      lateChannel,
		bug.SameEpoch:      powerLoss,
		bug.OvertakingFill: joins,
		bug.SharedID:       restart,
		bug.BrokenChain:    restart,
	} {
		t.Run(string(name), func(t *testing.T) {
			t.Parallel()
			found(t, played(t, s, soon, bug.Env+"="+string(name)))
		})
	}
}

// This one is planted in the client, which runs in this process: before the
// others.
func TestPlantedBugOfTheClientIsFound(t *testing.T) {
	t.Setenv(bug.Env, string(bug.LogPosition))
	found(t, played(t, lateChannel, soon))
}

func found(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, errBroken) { // a scenario that can't be played finds nothing
		t.Fatalf("nobody noticed: %v", err)
	}
	t.Logf("found: %v", err)
}
