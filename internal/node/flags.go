package node

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"selvedge/internal/config"
	"selvedge/internal/identity"
	"selvedge/internal/telemetry"
	"selvedge/topology/gossip"
	"selvedge/topology/region"
)

// Flags are the settings that cores and edges share; embed them in a command.
type Flags struct {
	Dev    bool     `help:"Use the public development keys, on loopback only."`
	Name   string   `help:"This node's name, unique in the cluster. Default: made of host, role and port." placeholder:"NAME"`
	Region string   `help:"The region that this node is in: a known name (eu-west, westeurope, eu-west-1, europe-west4) or one of your own with its place, as NAME=LATITUDE,LONGITUDE." default:"us-east"`
	Zone   string   `help:"The zone within the region, for people." placeholder:"ZONE"`
	Join   []string `help:"Gossip addresses of nodes to join by; one that answers is enough." placeholder:"HOST:PORT"`

	AdvertiseHost string `help:"The host or address by which other nodes reach this one. Default: the bound one, or this machine's first private address." placeholder:"HOST"`

	Cert      string `help:"This node's certificate (PEM); see 'selvedge cert node'." placeholder:"FILE"`
	Key       string `help:"The certificate's key (PEM)." placeholder:"FILE"`
	CA        string `help:"The cluster's CA certificate (PEM)." placeholder:"FILE" name:"ca"`
	GossipKey string `help:"File with the 32-byte gossip key in base64 (head -c 32 /dev/urandom | base64). Several, one a line: this node sends with the first and accepts all. Read again when it changes." placeholder:"FILE"`

	Cluster               string        `help:"The cluster's name: nodes of another one are refused. The same on every node, for the cluster's life." placeholder:"NAME"`
	GossipProbeInterval   time.Duration `help:"Each node probes another one this often, and waits so long for its answer, 100ms to 10s: more than the longest round trip. The same on every node." default:"500ms"`
	GossipProbeTimeout    time.Duration `help:"How much of it a node waits before it asks others to probe, too. 0 = two fifths." default:"0"`
	GossipSuspicionProbes int           `help:"For how many probe intervals a node that doesn't answer is suspected before it is taken for dead, 2 to 20; from ten nodes on, times the logarithm of their number. The same on every node." default:"3"`

	telemetry.LogFlags `embed:""`
}

// Place is the region of the flags.
func (f *Flags) Place() (region.Region, error) {
	r, err := region.Parse(f.Region)
	if err != nil {
		return r, config.Usagef("--region: %w", err)
	}
	return r, nil
}

// Keys are what a node proves itself with.
type Keys struct {
	Identity *identity.NodeIdentity
	Gossip   *identity.GossipKeys
}

// Keys loads the node's keys: the development ones with Dev, else all files
// must be given. Real keys name the node: their identity's name is its name. The
// logger is told when a file changes; nil is silence.
func (f *Flags) Keys(role, name string, logger *slog.Logger) (Keys, error) {
	if f.Dev {
		if f.Cert != "" || f.Key != "" || f.CA != "" || f.GossipKey != "" {
			return Keys{}, config.Usagef("--dev brings its own keys: leave out --cert, --key, --ca and --gossip-key, or --dev")
		}
		id, err := identity.DevNode(role, name)
		return Keys{id, identity.DevGossipKey()}, err
	}
	var missing []string
	for _, m := range []struct{ flag, value string }{
		{"--cert", f.Cert}, {"--key", f.Key}, {"--ca", f.CA}, {"--gossip-key", f.GossipKey},
	} {
		if m.value == "" {
			missing = append(missing, m.flag)
		}
	}
	if len(missing) > 0 {
		return Keys{}, config.Usagef("%s needed: a node starts with real keys only ('selvedge cert' makes certificates), or with --dev on loopback", strings.Join(missing, ", "))
	}
	id, err := identity.LoadNode(identity.NodeFiles{Cert: f.Cert, Key: f.Key, CA: f.CA}, logger)
	if err != nil {
		return Keys{}, err
	}
	if f.Name != "" && id.Name() != f.Name {
		return Keys{}, fmt.Errorf("certificate %s is for node %q, --name is %q: leave --name out, or use that node's own certificate", f.Cert, id.Name(), f.Name)
	}
	if id.Role() != role {
		return Keys{}, fmt.Errorf("certificate %s is for role %q, this node has the role %q: make one with 'selvedge cert node --role %s'", f.Cert, id.Role(), role, role)
	}
	gossip, err := identity.LoadGossipKeys(f.GossipKey, logger)
	return Keys{id, gossip}, err
}

// GossipTiming is how gossip finds failures.
func (f *Flags) GossipTiming() (gossip.Timing, error) {
	t := gossip.Timing{Probe: f.GossipProbeInterval, Direct: f.GossipProbeTimeout, SuspicionProbes: f.GossipSuspicionProbes}
	if err := t.Check(); err != nil {
		return t, config.Usagef("--gossip-probe-interval, --gossip-probe-timeout or --gossip-suspicion-probes: %w", err)
	}
	if err := gossip.CheckCluster(f.Cluster); err != nil {
		return t, config.Usagef("--cluster %q: %w", f.Cluster, err)
	}
	return t, nil
}

// Seeds are the addresses of Join, which must be complete.
func (f *Flags) Seeds() ([]string, error) {
	for _, s := range f.Join {
		if host, port, err := net.SplitHostPort(s); err != nil || host == "" || port == "" {
			return nil, config.Usagef("--join %q: use HOST:PORT, the gossip address of a node, such as 127.0.0.1:7402", s)
		}
	}
	return f.Join, nil
}

// Listen is an address to bind, by the flag that sets it.
type Listen struct {
	Flag string
	Addr *string
}

// Bind completes addresses: with Dev an empty host means 127.0.0.1, and any
// other host than loopback is refused.
func (f *Flags) Bind(addrs ...Listen) error {
	for _, a := range addrs {
		host, port, err := net.SplitHostPort(*a.Addr)
		if err != nil {
			return config.Usagef("--%s %q: use HOST:PORT or :PORT", a.Flag, *a.Addr)
		}
		if !f.Dev {
			continue
		}
		if host == "" {
			host = "127.0.0.1"
		}
		if !loopback(host) {
			return config.Usagef("--%s %s: with --dev the keys are public, so only loopback addresses are allowed: use 127.0.0.1:%s, or real keys without --dev", a.Flag, *a.Addr, port)
		}
		*a.Addr = net.JoinHostPort(host, port)
	}
	return nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// Reachable is the address by which others reach one that was bound.
func (f *Flags) Reachable(bound net.Addr) (string, error) {
	host, port, err := net.SplitHostPort(bound.String())
	if err != nil {
		return "", err
	}
	if f.AdvertiseHost != "" {
		return net.JoinHostPort(f.AdvertiseHost, port), nil
	}
	if ip, err := netip.ParseAddr(host); err == nil && !ip.IsUnspecified() {
		return bound.String(), nil
	}
	host, err = privateHost()
	return net.JoinHostPort(host, port), err
}

// privateHost is this machine's first private address, or else its first.
func privateHost() (string, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return "", fmt.Errorf("find an address of this machine: %w", err)
	}
	var other string
	for _, a := range addrs {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil || prefix.Addr().IsLoopback() || prefix.Addr().IsLinkLocalUnicast() {
			continue
		}
		if prefix.Addr().IsPrivate() {
			return prefix.Addr().String(), nil
		}
		if other == "" {
			other = prefix.Addr().String()
		}
	}
	if other == "" {
		return "", fmt.Errorf("this machine has no address that others could reach: name one with --advertise-host")
	}
	return other, nil
}

// NodeName is the name given, or one made of host (or region, with Dev), role
// and port.
func (f *Flags) NodeName(role, addr string) string {
	if f.Name != "" {
		return f.Name
	}
	_, port, _ := net.SplitHostPort(addr)
	name, _, _ := strings.Cut(f.Region, "=")
	if f.Dev {
		return strings.Join([]string{role, name, port}, "-")
	}
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = name
	}
	return strings.Join([]string{host, role, port}, "-")
}
