package router

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What runs in a namespace ends when who started it is killed. Who may not enter one is
// told, and runs nothing.
func TestWithinANamespaceAProcessEndsWithItsParent(t *testing.T) {
	err := apart(func() error {
		f, err := os.Open(ownSpace)
		if err != nil {
			return err
		}
		return errors.Join(unix.Setns(int(f.Fd()), unix.CLONE_NEWNET), f.Close())
	})
	mayNot := errors.Is(err, unix.EPERM)
	if err != nil && !mayNot {
		t.Fatal(err)
	}
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if mayNot {
		said, err := exec.CommandContext(t.Context(), binary, "simulate", "within", ownSpace, "/bin/sh", "-c", "echo inside").CombinedOutput()
		if err == nil || !strings.Contains(string(said), "setns: operation not permitted") || strings.Contains(string(said), "inside") {
			t.Errorf("%v: %s", err, said)
		}
		return
	}
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = out.Close() }()
	if err := out.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, "parent")
	cmd.Stdout, cmd.Stderr = in, os.Stderr
	if err := errors.Join(cmd.Start(), in.Close()); err != nil {
		t.Fatal(err)
	}
	var pid int
	lines := bufio.NewReader(out)
	_, reading := fmt.Fscanln(lines, &pid)
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // it was killed
	if reading != nil {
		t.Fatal(reading)
	}
	if _, err := io.ReadAll(lines); err != nil { // the pipe ends with the last who has it
		_ = unix.Kill(pid, unix.SIGKILL)
		t.Errorf("the process outlives its parent, which was killed: %v", err)
	}
}
