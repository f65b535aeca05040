package child_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"selvedge/simulations/child"
)

// This test's binary is a process that has a child, where it is started as one.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 || os.Args[1] != "parent" {
		goleak.VerifyTestMain(m)
		return
	}
	cmd := exec.Command("sleep", "600")
	wait, err := child.Start(cmd)
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_, _ = fmt.Fprintln(os.Stdout, cmd.Process.Pid) // who reads it sees that it isn't there
	_ = wait()
}

func TestAChildEndsWithItsParent(t *testing.T) {
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	parent := exec.CommandContext(t.Context(), binary, "parent")
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscan(bufio.NewReader(out), &pid); err != nil {
		t.Fatal(err)
	}
	if !running(pid) {
		t.Fatal("the child does not run: nothing would be shown")
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // it was killed
	for end := time.Now().Add(10 * time.Second); running(pid); {
		if time.Now().After(end) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			t.Fatal("the child outlives its parent, which was killed")
		}
	}
}

// running reports whether a process does; one that has ended and that nobody waited
// for does not.
func running(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, _ := strings.Cut(string(stat), ") ")
	return err == nil && !strings.HasPrefix(state, "Z")
}

func TestHowItEndedIsTold(t *testing.T) {
	wait, err := child.Start(exec.Command("false"))
	if err != nil {
		t.Fatal(err)
	}
	var status *exec.ExitError
	for range 2 {
		if err := wait(); !errors.As(err, &status) {
			t.Errorf("ended with %v", err)
		}
	}
	if _, err := child.Start(exec.Command("/no/such/program")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("started: %v", err)
	}
}
