package bubble_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/simulations/bubble"
)

// A process of its own plays the ordinary program: package testing runs one Main.
func TestMain(m *testing.M) {
	if os.Getenv("SELVEDGE_TEST_BUBBLE") == "" {
		os.Exit(m.Run())
	}
	os.Args = []string{"program", "--not-a-flag-of-package-testing"}
	runtime.GOMAXPROCS(2)
	var hours time.Duration
	var cpus int
	err := bubble.Main(func(t *testing.T) error {
		cpus = runtime.GOMAXPROCS(0)
		for range 2 {
			bubble.Clean()
			synctest.Test(t, func(*testing.T) {
				begin := time.Now()
				time.Sleep(24 * time.Hour)
				hours += time.Since(begin)
			})
		}
		return errors.New("as returned")
	})
	_, _ = fmt.Fprintf(os.Stdout, "%v %v %d %d\n", hours, err, cpus, runtime.GOMAXPROCS(0))
	os.Exit(3)
}

func TestAnOrdinaryProgramHasVirtualTime(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env = append(os.Environ(), "SELVEDGE_TEST_BUBBLE=1")
	begin := time.Now()
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("ended with %v, and not as the program says:\n%s", err, out)
	}
	if got := strings.TrimSpace(string(out)); got != "48h0m0s as returned 1 2" {
		t.Errorf("the program printed %q, and should print its own line only", got)
	}
	if took := time.Since(begin); took > time.Hour {
		t.Errorf("two days took %v", took)
	}
}
