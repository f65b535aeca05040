package fleettest

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"go.uber.org/goleak"

	"selvedge/edge"
	"selvedge/internal/config"
)

// Main is for TestMain: a binary that is started with a command is what cli says
// of it, and else runs the tests, which may leave no goroutine but what options say.
func Main(m *testing.M, cli any, options ...goleak.Option) {
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-") {
		stdio := config.IO{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
		os.Exit(Run(config.Signalled(context.Background()), cli, stdio, os.Args[1:]...))
	}
	// Under the race detector, processes would linger for a second.
	_ = os.Setenv("GORACE", "atexit_sleep_ms=0")
	goleak.VerifyTestMain(m, options...)
}

// Run runs a command in this process, and returns its status.
func Run(ctx context.Context, cli any, stdio config.IO, args ...string) int {
	return config.Main(ctx, args, stdio, cli, kong.Vars{"transport": edge.DefaultTransport()})
}
