package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"selvedge/core"
	"selvedge/edge"
	"selvedge/internal/config"
	"selvedge/simulations/fleet/fleettest"
)

// binary is what the measurements start: this test's own.
type binary struct {
	Core  core.Command `cmd:""`
	Edge  edge.Command `cmd:""`
	Bench Command      `cmd:""`
}

func run(ctx context.Context, stdio config.IO, args ...string) int {
	return fleettest.Run(ctx, new(binary), stdio, args...)
}

// TestMain makes this test's binary a node, clients or a floor, where it is
// started as one.
func TestMain(m *testing.M) { fleettest.Main(m, new(binary)) }

// measured runs a measurement, which must succeed, reads the JSON that it wrote,
// and returns what it printed.
func measured(t *testing.T, into any, args ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "result.json")
	var stdout, stderr bytes.Buffer
	status := run(t.Context(), config.IO{Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr}, append(append([]string{"bench"}, args...), "--json", file)...)
	if status != config.StatusDone {
		t.Fatalf("status %d: %s", status, &stderr)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return stdout.String()
}
