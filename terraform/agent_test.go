//go:build terraform

package terraform

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// machine is one on which the agent runs, with a stand-in for all that it calls.
type machine struct {
	t        *testing.T
	dir      string
	binary   string
	settings map[string]string
}

func newMachine(t *testing.T, role string) *machine {
	t.Helper()
	m := &machine{t: t, dir: t.TempDir(), binary: selvedge(t)}
	for _, dir := range []string{"bin", "etc", "run", "disks", "fake/imds", "fake/secrets"} {
		if err := os.MkdirAll(filepath.Join(m.dir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile("testdata/fake")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"curl", "aws", "systemctl", "blkid", "mkfs.ext4", "mount", "umount", "mountpoint", "chown", "install"} {
		m.write("bin/"+name, string(text))
		if err := os.Chmod(filepath.Join(m.dir, "bin", name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	m.settings = map[string]string{
		"ROLE": role, "REGION": "us-east-1", "GROUP": "chat-" + role, "ADDRESS": "local-ipv4", "ADMIN_PORT": "7400", "DATA": m.path("data"),
		"ZONE_ID": "Z1", "CA": arn("secretsmanager:us-east-1", "secret:ca"), "CA_KEY": arn("secretsmanager:us-east-1", "secret:ca-key"),
		"GOSSIP_KEY": arn("secretsmanager:us-east-1", "secret:gossip"), "API_KEYS": arn("secretsmanager:us-east-1", "secret:api"),
		"TOKEN_SECRET": arn("secretsmanager:us-east-1", "secret:token"), "TLS_SECRET": "", "EDGE_DOMAIN": "", "CERT_TTL": "8760h",
		"NODES":   "us-east-1a=none us-east-1b=" + arn("secretsmanager:us-east-1", "secret:core-b"),
		"VOLUMES": "us-east-1a=vol-1 us-east-1b=vol-2", "NAMES": "us-east-1a=core-a.example.com us-east-1b=core-b.example.com",
	}
	m.imds("instance-id", "i-0abc")
	m.imds("placement/availability-zone", "us-east-1b")
	m.imds("local-ipv4", "127.0.0.1")
	m.imds("public-ipv4", "192.0.2.7")
	m.keys()
	return m
}

// keys makes a cluster's keys, as its operator does, and puts them where secrets are.
func (m *machine) keys() {
	m.t.Helper()
	pki := m.path("pki")
	for _, args := range [][]string{{"cert", "ca", pki}, {"cert", "node", pki, "--role", "core", "--name", "core-b"}} {
		if out, err := exec.Command(m.binary, args...).CombinedOutput(); err != nil {
			m.t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	m.write("fake/secrets/ca", m.read("pki/ca.pem"))
	m.write("fake/secrets/ca-key", m.read("pki/ca-key.pem"))
	m.write("fake/secrets/core-b", m.read("pki/core-core-b.pem")+m.read("pki/core-core-b-key.pem"))
	m.write("fake/secrets/gossip", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n")
	m.write("fake/secrets/api", "backend:0123456789abcdef0123456789abcdef\n")
	m.write("fake/secrets/token", "a secret of thirty-two bytes, or a few more\n")
}

func (m *machine) path(name string) string { return filepath.Join(m.dir, name) }

func (m *machine) write(name, text string) {
	m.t.Helper()
	if err := os.WriteFile(m.path(name), []byte(text), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) read(name string) string {
	m.t.Helper()
	text, err := os.ReadFile(m.path(name))
	if err != nil {
		m.t.Fatal(err)
	}
	return string(text)
}

func (m *machine) imds(path, value string) {
	m.t.Helper()
	m.write("fake/imds/"+strings.ReplaceAll(path, "/", "_"), value)
}

// agent prepares a run of the agent.
func (m *machine) agent(ctx context.Context, what string) *exec.Cmd {
	m.t.Helper()
	var env strings.Builder
	for key, value := range m.settings {
		env.WriteString(key + "='" + value + "'\n")
	}
	m.write("etc/agent.env", env.String())
	cmd := exec.CommandContext(ctx, "bash", absolute(m.t, "modules/aws/agent/agent.sh"), what)
	cmd.WaitDelay = 5 * time.Second
	cmd.Env = []string{
		"PATH=" + m.path("bin") + ":" + os.Getenv("PATH"), "FAKE=" + m.path("fake"), "SELVEDGE=" + m.binary, "SELVEDGE_PAUSE=0.05",
		"SELVEDGE_ETC=" + m.path("etc"), "SELVEDGE_RUN=" + m.path("run"), "SELVEDGE_DISKS=" + m.path("disks"),
	}
	return cmd
}

// does runs the agent to its end, and returns its calls.
func (m *machine) does(what string) []string {
	m.t.Helper()
	_ = os.Remove(m.path("fake/calls"))
	ctx, cancel := context.WithTimeout(m.t.Context(), 30*time.Second)
	defer cancel()
	if out, err := m.agent(ctx, what).CombinedOutput(); err != nil {
		m.t.Fatalf("agent %s: %v\n%s\n%s", what, err, out, m.read("fake/calls"))
	}
	return strings.Split(strings.TrimSpace(m.read("fake/calls")), "\n")
}

// called is the index of the first call that begins so; -1 if there is none.
func called(calls []string, begins string) int {
	return slices.IndexFunc(calls, func(c string) bool { return strings.HasPrefix(c, begins) })
}

// starts expects the real binary to start with what the agent made, as a node of a name.
func (m *machine) starts(role, name string, flags ...string) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), 30*time.Second)
	defer cancel()
	node := m.path("etc/keys/node.pem")
	flags = append([]string{
		role, "--cert", node, "--key", node, "--ca", m.path("etc/keys/ca.pem"), "--gossip-key", m.path("etc/keys/gossip.key"),
		"--link-addr", "127.0.0.1:0", "--gossip-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0",
	}, flags...)
	cmd := exec.CommandContext(ctx, m.binary, flags...)
	cmd.Env = append(strings.Fields(m.read("run/node.env")), "PATH="+os.Getenv("PATH"))
	out, err := cmd.StderrPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	var said strings.Builder
	started := false
	lines := bufio.NewScanner(io.TeeReader(out, &said))
	for lines.Scan() {
		if strings.Contains(lines.Text(), `msg="`+role+` started" node=`+name+" ") {
			started = true
			_ = cmd.Process.Kill() // how it ends is no matter here
		}
	}
	if err := cmd.Wait(); !started {
		m.t.Errorf("the %s did not start as %s: %v\n%s", role, name, err, said.String())
	}
}
