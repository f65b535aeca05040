package router

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"github.com/alecthomas/kong"
	"go.uber.org/goleak"

	"selvedge/internal/config"
	"selvedge/simulations/child"
)

// ours says that this binary was started as a process of ours. Then main stays on the first
// thread, on which Go sets variables.
var ours = func() bool {
	if len(os.Args) < 2 || os.Args[1] != "simulate" && os.Args[1] != "parent" {
		return false
	}
	runtime.LockOSThread()
	return true
}()

// TestMain makes this test's binary the router's process, where it is started as one.
func TestMain(m *testing.M) {
	if !ours {
		_ = os.Setenv("GORACE", "atexit_sleep_ms=0") // else processes linger for a second
		goleak.VerifyTestMain(m)
		return
	}
	if os.Args[1] == "parent" {
		os.Exit(parent())
	}
	var cli struct {
		Simulate struct {
			Router Command       `cmd:""`
			Within WithinCommand `cmd:""`
		} `cmd:""`
	}
	// Not on the first thread, which alone the kernel was told to kill with its parent.
	code := make(chan int)
	go func() {
		code <- config.Main(context.Background(), os.Args[1:], config.IO{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}, &cli, kong.Description(""))
	}()
	os.Exit(<-code)
}

const ownSpace = "/proc/self/ns/net"

// parent has a child that becomes another program in a namespace, says what number it has, and lives for long.
func parent() int {
	binary, err := os.Executable()
	if err != nil {
		return 1
	}
	cmd := exec.Command(binary, "simulate", "within", ownSpace, "/bin/sh", "-c", "echo $$; exec sleep 600")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	wait, err := child.Start(cmd)
	if err != nil || wait() != nil {
		return 1
	}
	return 0
}
