package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"go.uber.org/goleak"

	"selvedge/core"
	"selvedge/edge"
	"selvedge/internal/config"
)

// binary is what the measurements start: this test's own.
type binary struct {
	Core  core.Command `cmd:""`
	Edge  edge.Command `cmd:""`
	Bench Command      `cmd:""`
}

func run(ctx context.Context, stdio config.IO, args ...string) int {
	return config.Main(ctx, args, stdio, new(binary), kong.Vars{"transport": edge.DefaultTransport()})
}

// TestMain makes this test's binary a node, clients or a floor, where it is
// started as one.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-") {
		os.Exit(run(config.Signalled(context.Background()), config.IO{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}, os.Args[1:]...))
	}
	// Under the race detector, processes would linger for a second.
	_ = os.Setenv("GORACE", "atexit_sleep_ms=0")
	goleak.VerifyTestMain(m)
}

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
