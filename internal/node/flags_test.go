package node_test

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"selvedge/internal/config"
	"selvedge/internal/identity"
	"selvedge/internal/node"
)

func TestDevStaysOnLoopback(t *testing.T) {
	for addr, want := range map[string]string{
		":7400": "127.0.0.1:7400", "127.0.0.1:7400": "127.0.0.1:7400", "127.9.9.9:1": "127.9.9.9:1", "localhost:0": "localhost:0", "[::1]:7400": "[::1]:7400",
		"0.0.0.0:7400": "", "[::]:7400": "", "10.0.0.1:7400": "", "example.com:7400": "", "localhost.example.com:1": "", "127.0.0.1.nip.io:1": "",
		"[::ffff:10.0.0.1]:1": "", "7400": "", "": "", "127.0.0.1": "",
	} {
		bound := addr
		err := (&node.Flags{Dev: true}).Bind(node.Listen{Flag: "api-addr", Addr: &bound})
		switch {
		case want != "" && (err != nil || bound != want):
			t.Errorf("%q is bound to %q, %v; want %q", addr, bound, err, want)
		case want == "" && (err == nil || bound != addr || !strings.HasPrefix(err.Error(), "--api-addr ") || !strings.Contains(err.Error(), addr) || strings.Contains(err.Error(), "\n")):
			t.Errorf("%q: bound to %q, error %v; want one line that names flag and value", addr, bound, err)
		}
	}
}

func TestRealKeysBindAnyAddress(t *testing.T) {
	for _, addr := range []string{":7400", "0.0.0.0:7400", "[::]:1", "10.0.0.1:7400"} {
		bound := addr
		if err := new(node.Flags).Bind(node.Listen{Flag: "api-addr", Addr: &bound}); err != nil || bound != addr {
			t.Errorf("%s is bound to %s, %v", addr, bound, err)
		}
	}
	bad := "nonsense"
	if err := new(node.Flags).Bind(node.Listen{Flag: "api-addr", Addr: &bad}); err == nil {
		t.Error("nonsense is an address")
	}
}

// files are the keys of a node, made as an operator makes them.
func files(t *testing.T, role string) *node.Flags {
	t.Helper()
	dir := t.TempDir()
	ca, err := identity.NewCA(time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	issued, err := identity.IssueNode(ca, role, "n1", nil, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if err := ca.Save(dir); err != nil {
		t.Fatal(err)
	}
	paths := identity.NodeFilesIn(dir, role, "n1")
	if err := issued.Save(paths); err != nil {
		t.Fatal(err)
	}
	gossip := filepath.Join(dir, "gossip.key")
	if err := os.WriteFile(gossip, []byte("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return &node.Flags{Cert: paths.Cert, Key: paths.Key, CA: paths.CA, GossipKey: gossip}
}

func TestKeysFromFiles(t *testing.T) {
	f := files(t, identity.RoleCore)
	keys, err := f.Keys(identity.RoleCore, "n1", nil)
	if err != nil || keys.Identity.Name() != "n1" || string(keys.Gossip.Keys()[0]) != "01234567890123456789012345678901" {
		t.Errorf("keys %+v, %v", keys, err)
	}
	_, err = f.Keys(identity.RoleEdge, "n1", nil)
	if err == nil || !strings.Contains(err.Error(), f.Cert) || !strings.Contains(err.Error(), `role "core"`) || !strings.Contains(err.Error(), "--role edge") {
		t.Errorf("a core's certificate at an edge: %v", err)
	}
	f.Name = "n2"
	if _, err := f.Keys(identity.RoleCore, "n2", nil); err == nil || !strings.Contains(err.Error(), `"n1"`) || !strings.Contains(err.Error(), `"n2"`) {
		t.Errorf("another node's certificate: %v", err)
	}
	f.Name = "n1"
	f.GossipKey = f.Cert
	if _, err := f.Keys(identity.RoleCore, "n1", nil); err == nil || !strings.Contains(err.Error(), f.Cert) {
		t.Errorf("a gossip key that is none: %v", err)
	}
}

// gossipCommand is a node's command as far as its gossip matters.
type gossipCommand struct{ node.Flags }

func (c *gossipCommand) Run() error {
	timing, err := c.GossipTiming()
	if err != nil {
		return err
	}
	if timing.Probe != 500*time.Millisecond || timing.SuspicionProbes != 3 {
		return fmt.Errorf("timing %+v", timing)
	}
	return nil
}

// The flags' defaults are gossip's own, and what can't work is bad usage.
func TestGossipFlags(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"defaults":       {nil, ""},
		"cluster":        {[]string{"--cluster=green"}, ""},
		"fast":           {[]string{"--gossip-probe-interval=10ms"}, "use 100ms to 10s"},
		"slow":           {[]string{"--gossip-probe-interval=11s"}, "use 100ms to 10s"},
		"timeout":        {[]string{"--gossip-probe-timeout=500ms"}, "less than the probe's 500ms"},
		"no suspicion":   {[]string{"--gossip-suspicion-probes=1"}, "use 2 to 20"},
		"cluster's name": {[]string{"--cluster=a b"}, "--cluster"},
	} {
		var grammar struct {
			Start gossipCommand `cmd:""`
		}
		var said bytes.Buffer
		stdio := config.IO{Stdin: strings.NewReader(""), Stdout: &said, Stderr: &said}
		status := config.Main(t.Context(), append([]string{"start"}, c.args...), stdio, &grammar)
		if (status == config.StatusUsage) != (c.want != "") || !strings.Contains(said.String(), c.want) || c.want == "" && said.Len() > 0 {
			t.Errorf("%s: status %d, %q; want %q", name, status, said.String(), c.want)
		}
	}
}

func TestSeedsAreComplete(t *testing.T) {
	for join, ok := range map[string]bool{"127.0.0.1:7402": true, "core.internal:7402": true, "127.0.0.1": false, ":7402": false, "core:": false} {
		seeds, err := (&node.Flags{Join: []string{join}}).Seeds()
		if (err == nil) != ok || ok && len(seeds) != 1 {
			t.Errorf("--join %q: %v %v", join, seeds, err)
		}
	}
}

func TestDevKeys(t *testing.T) {
	keys, err := (&node.Flags{Dev: true}).Keys(identity.RoleEdge, "e1", nil)
	if err != nil || keys.Identity.Role() != identity.RoleEdge || keys.Identity.Name() != "e1" || !bytes.Equal(keys.Gossip.Keys()[0], identity.DevGossipKey().Keys()[0]) {
		t.Errorf("keys %+v, %v", keys, err)
	}
}

// startCommand is a node's command as far as its keys matter.
type startCommand struct{ node.Flags }

func (c *startCommand) Run() error {
	_, err := c.Keys(identity.RoleCore, "n1", nil)
	return err
}

// Without all of its keys, and with two kinds of them, a node does not start:
// that is bad usage, status 2.
func TestKeysThatDontFitAreBadUsage(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"none":     {nil, "--cert, --key, --ca, --gossip-key needed"},
		"some":     {[]string{"--cert=c", "--ca=a"}, "--key, --gossip-key needed"},
		"dev, too": {[]string{"--dev", "--ca=a"}, "leave out --cert, --key, --ca and --gossip-key"},
	} {
		var grammar struct {
			Start startCommand `cmd:""`
		}
		var said bytes.Buffer
		stdio := config.IO{Stdin: strings.NewReader(""), Stdout: &said, Stderr: &said}
		status := config.Main(t.Context(), append([]string{"start"}, c.args...), stdio, &grammar)
		if status != config.StatusUsage || !strings.Contains(said.String(), c.want) || strings.Count(said.String(), "\n") != 1 {
			t.Errorf("%s: status %d, %q; want %d and one line with %q", name, status, said.String(), config.StatusUsage, c.want)
		}
	}
}

func TestPlace(t *testing.T) {
	for given, want := range map[string]string{"eu-west": "eu-west", "moon=12.5,-7": "moon"} {
		if p, err := (&node.Flags{Region: given}).Place(); err != nil || p.Name != want {
			t.Errorf("region %s is %+v, %v", given, p, err)
		}
	}
	if _, err := (&node.Flags{Region: "atlantis"}).Place(); err == nil || !strings.Contains(err.Error(), "--region") || !strings.Contains(err.Error(), "atlantis") {
		t.Errorf("an unknown region: %v", err)
	}
}

func TestReachable(t *testing.T) {
	at := func(addr string) net.Addr { return net.UDPAddrFromAddrPort(netip.MustParseAddrPort(addr)) }
	for _, c := range []struct{ host, bound, want string }{
		{"", "127.0.0.1:7401", "127.0.0.1:7401"},
		{"", "[::1]:7401", "[::1]:7401"},
		{"", "10.1.2.3:7401", "10.1.2.3:7401"},
		{"edge.example.com", "0.0.0.0:7401", "edge.example.com:7401"},
		{"fd00::1", "127.0.0.1:7401", "[fd00::1]:7401"},
	} {
		if got, err := (&node.Flags{AdvertiseHost: c.host}).Reachable(at(c.bound)); err != nil || got != c.want {
			t.Errorf("%s with %q is reached at %s, %v; want %s", c.bound, c.host, got, err, c.want)
		}
	}
	for _, bound := range []string{"0.0.0.0:7401", "[::]:7401"} {
		got, err := new(node.Flags).Reachable(at(bound))
		if err != nil { // a machine with loopback only
			if !strings.Contains(err.Error(), "--advertise-host") {
				t.Errorf("%s: %v", bound, err)
			}
			continue
		}
		ip, err := netip.ParseAddrPort(got)
		if err != nil || ip.Port() != 7401 || ip.Addr().IsLoopback() || ip.Addr().IsUnspecified() {
			t.Errorf("%s is reached at %s, %v", bound, got, err)
		}
	}
}

func TestNodeName(t *testing.T) {
	for _, c := range []struct {
		flags node.Flags
		want  string
	}{
		{node.Flags{Name: "mine", Dev: true}, "mine"},
		{node.Flags{Dev: true, Region: "eu-west"}, "edge-eu-west-7410"},
		{node.Flags{Dev: true, Region: "moon=1,2"}, "edge-moon-7410"},
	} {
		if got := c.flags.NodeName("edge", "127.0.0.1:7410"); got != c.want {
			t.Errorf("name %q, want %q", got, c.want)
		}
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if got := (&node.Flags{Region: "eu-west"}).NodeName("core", ":7400"); got != host+"-core-7400" {
		t.Errorf("name %q on host %q", got, host)
	}
}
