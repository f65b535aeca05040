package router

import (
	"context"
	"os"
	"testing"

	"github.com/alecthomas/kong"
	"go.uber.org/goleak"

	"selvedge/internal/config"
)

// TestMain makes this test's binary the router's process, where it is started as one.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 || os.Args[1] != "simulate" {
		_ = os.Setenv("GORACE", "atexit_sleep_ms=0") // else processes linger for a second
		goleak.VerifyTestMain(m)
		return
	}
	var cli struct {
		Simulate struct {
			Router Command       `cmd:""`
			Within WithinCommand `cmd:""`
		} `cmd:""`
	}
	os.Exit(config.Main(context.Background(), os.Args[1:], config.IO{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}, &cli, kong.Description("")))
}
