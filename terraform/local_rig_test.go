//go:build terraform

package terraform

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// local is terraform/local, applied.
type local struct {
	*tree
	t      *testing.T
	runDir string
	binary string
	port   int
}

type regionOf struct {
	Edges int `json:"edges"`
	Port  int `json:"port"`
}

// newLocal prepares the cluster; nothing runs yet. Whatever happens, nothing of it
// runs on after the test.
func newLocal(t *testing.T) *local {
	t.Helper()
	l := &local{tree: newTree(t), t: t, binary: selvedge(t), port: freePorts(t)}
	l.runDir = filepath.Join(l.root, "run")
	t.Cleanup(func() {
		for _, pid := range l.pids() {
			t.Errorf("process %d runs after destroy", pid)
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	l.run("init", "-no-color")
	l.run("validate", "-no-color")
	return l
}

// scale writes how many edges Europe and Asia have, beside the one in America.
func (l *local) scale(eu, ap int) {
	l.t.Helper()
	text, err := json.Marshal(map[string]any{
		"binary": l.binary, "run_dir": l.runDir, "core_port": l.port, "drain_seconds": 2,
		"regions": map[string]regionOf{
			"us-east": {1, l.port + 100}, "eu-west": {eu, l.port + 200}, "ap-southeast": {ap, l.port + 300},
		},
	})
	if err != nil {
		l.t.Fatal(err)
	}
	l.write(l.t, "local/terraform.tfvars.json", string(text))
}

func (l *local) run(args ...string) string {
	l.t.Helper()
	return l.tree.run(l.t, "local", args...)
}

func (l *local) applied(args ...string) {
	l.t.Helper()
	l.apply(l.t, "local", args...)
}

// unchanged expects a plan to find nothing to do.
func (l *local) unchanged() {
	l.t.Helper()
	if out, status, err := l.try("local", "plan", "-detailed-exitcode", "-no-color"); err != nil || status != 0 {
		l.t.Errorf("plan again: status %d, %v\n%s", status, err, out)
	}
}

func (l *local) edges() (urls map[string]string) {
	l.t.Helper()
	l.output(l.t, "local", "edge_urls", &urls)
	return urls
}

// pids are the processes that there are, by the names of their nodes.
func (l *local) pids() map[string]int {
	all := map[string]int{}
	files, _ := filepath.Glob(filepath.Join(l.runDir, "*.pid")) // the pattern is good
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			all[strings.TrimSuffix(filepath.Base(file), ".pid")] = pid
		}
	}
	return all
}

// freePorts is the first of 400 ports, below those that the system gives away,
// of which none is used that the cluster takes.
func freePorts(t *testing.T) int {
	t.Helper()
	for base := 18000; base < 32000; base += 400 {
		if free(base, 4) && free(base+100, 30) && free(base+200, 30) && free(base+300, 30) {
			return base
		}
	}
	t.Fatal("no free ports on loopback")
	return 0
}

func free(first, n int) bool {
	for port := first; port < first+n; port++ {
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		tcp, err := net.Listen("tcp", addr)
		if err != nil {
			return false
		}
		_ = tcp.Close()
		udp, err := net.ListenPacket("udp", addr)
		if err != nil {
			return false
		}
		_ = udp.Close()
	}
	return true
}
