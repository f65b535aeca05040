package load

import (
	"context"
	"os"
	"strconv"
	"testing"

	"go.uber.org/goleak"
)

// TestMain makes this test's binary a process of clients, or a floor, where it
// is started as one.
func TestMain(m *testing.M) {
	if len(os.Args) < 3 || os.Args[1] != "clients" && os.Args[1] != "floor" {
		// Under the race detector, processes would linger for a second.
		_ = os.Setenv("GORACE", "atexit_sleep_ms=0")
		goleak.VerifyTestMain(m)
		return
	}
	serve := ServeClients
	if os.Args[1] == "floor" {
		serve = ServeFloor
	}
	n, err := strconv.Atoi(os.Args[2])
	if err == nil {
		err = serve(context.Background(), os.Stdin, os.Stdout, n)
	}
	if err != nil {
		_, _ = os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
	os.Exit(0)
}
