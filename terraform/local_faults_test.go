//go:build terraform

package terraform

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What goes wrong is said, leaves nothing behind, and can be put right by the means
// that the message names.
func TestLocalFaults(t *testing.T) {
	l := newLocal(t)
	l.scale(0, 0)
	t.Cleanup(func() {
		l.run("destroy", "-auto-approve", "-no-color")
		if _, err := os.Stat(l.runDir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("destroy leaves its folder: %v", err)
		}
	})

	// Somebody else answers at the core's port.
	other, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(l.port)))
	if err != nil {
		t.Fatal(err)
	}
	out, status, err := l.try("local", "apply", "-auto-approve", "-no-color")
	if err != nil || status == 0 || !strings.Contains(out, "core ended at its start") || !strings.Contains(out, "is in use by another process") {
		t.Errorf("a port that is taken: status %d, %v\n%s", status, err, out)
	}
	if pids := l.pids(); len(pids) > 0 {
		t.Errorf("a failed start leaves processes: %v", pids)
	}
	_ = other.Close()
	l.applied()

	l.quickStart()

	// A process that is killed is missed.
	killed := l.pids()["us-east-1"]
	if killed == 0 {
		t.Fatalf("no edge in %v", l.pids())
	}
	if err := syscall.Kill(killed, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if out := l.run("plan", "-no-color"); !strings.Contains(out, "Not running: us-east-1.") {
		t.Errorf("a plan does not say that an edge was killed:\n%s", out)
	}
	l.applied(`-replace=module.edge["us-east-1"].terraform_data.process`)
	if now := l.pids()["us-east-1"]; now == 0 || now == killed {
		t.Errorf("the edge was not started again: %v", l.pids())
	}
	if out := l.run("plan", "-no-color"); strings.Contains(out, "Not running") {
		t.Errorf("a plan misses a process that runs:\n%s", out)
	}
}

// quickStart runs the lines that the outputs listen and publish have.
func (l *local) quickStart() {
	l.t.Helper()
	var listen, publish string
	l.output(l.t, "local", "listen", &listen)
	l.output(l.t, "local", "publish", &publish)
	ctx, cancel := context.WithTimeout(l.t.Context(), 30*time.Second)
	defer cancel()
	listener := exec.CommandContext(ctx, "bash", "-c", "exec "+listen+" --count 1")
	notes, err := listener.StderrPipe()
	if err != nil {
		l.t.Fatal(err)
	}
	var heard bytes.Buffer
	listener.Stdout = &heard
	if err := listener.Start(); err != nil {
		l.t.Fatal(err)
	}
	lines := bufio.NewScanner(notes)
	for lines.Scan() {
		if !strings.Contains(lines.Text(), "connected to us-east-1 (us-east)") {
			continue
		}
		if out, err := exec.CommandContext(ctx, "bash", "-c", publish).CombinedOutput(); err != nil {
			l.t.Errorf("publish: %v\n%s", err, out)
		}
	}
	if err := listener.Wait(); err != nil || !strings.Contains(heard.String(), `"ch":"topic:news"`) || !strings.Contains(heard.String(), `{"text":"hi"}`) {
		l.t.Errorf("listen: %v\n%s", err, heard.String())
	}
}
