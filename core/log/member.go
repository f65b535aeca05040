package log

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"time"

	"selvedge/internal/identity"
	"selvedge/internal/telemetry"

	"github.com/nats-io/nats-server/v2/server"
)

// Cluster is how a core is one of three that keep the logs together.
type Cluster struct {
	Name string // this core's: the same after every restart
	// Addr is where the others reach the log (host:port, TCP). Port 0 is any.
	Addr string
	// Advertise is Addr as the others see it; nil = Addr itself.
	Advertise func(bound net.Addr) (string, error)
	Identity  *identity.NodeIdentity // proves this core to the others
	Peers     Peers                  // where they are
}

const (
	clusterName = "selvedge"
	// noPort can't be listened at. The server opens its routes only after it has
	// tried to listen for clients, and ours must not have any: all of them are in
	// this process.
	noPort      = 1 << 17
	routeLimit  = 10 * time.Second
	routePings  = 2 * time.Second // a peer that is silent for three of them is given up
	routeMisses = 2
)

// bind finds the address of the log: it must be free, and is told to the others
// before the server takes it.
func (c *Cluster) bind() (bound, advertised string, err error) {
	ln, err := telemetry.Listen("log", c.Addr, "log-addr")
	if err != nil {
		return "", "", err
	}
	bound = ln.Addr().String()
	advertised = bound
	if c.Advertise != nil {
		advertised, err = c.Advertise(ln.Addr())
	}
	return bound, advertised, errors.Join(err, ln.Close())
}

// startMember starts the server of a core in a cluster. It listens for routes
// of the other two only.
func startMember(cfg *Config, peers *members) (*embedded, error) {
	host, portText, err := net.SplitHostPort(peers.bound)
	if err != nil {
		return nil, fmt.Errorf("configure the embedded log: %w", err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, fmt.Errorf("configure the embedded log: %w", err)
	}
	options := serverOptions(cfg)
	options.ServerName = cfg.Cluster.Name
	options.Host, options.Port = "127.0.0.1", noPort
	options.Cluster = server.ClusterOpts{
		Name: clusterName, Host: host, Port: port, Advertise: peers.advertised,
		TLSConfig: cfg.Cluster.tls(peers.names()), PingInterval: routePings, MaxPingsOut: routeMisses,
	}
	if options.Routes, err = peers.routes(); err != nil {
		return nil, err
	}
	e, err := newEmbedded(cfg, options)
	if err != nil {
		return nil, err
	}
	e.server.Start()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for limit := time.Now().Add(routeLimit); e.server.ClusterAddr() == nil; <-ticker.C {
		if time.Now().After(limit) {
			e.stop()
			return nil, fmt.Errorf("the embedded log can't listen at %s: choose another --log-addr", peers.bound)
		}
	}
	e.log.began.Store(true)
	if !e.server.JetStreamEnabled() {
		e.stop()
		return nil, fmt.Errorf("the embedded log did not start in %s: see the log", cfg.Dir)
	}
	return e, nil
}

// tls is mutual, by the nodes' own identities. Nobody but the cores of this
// cluster is let in.
func (c *Cluster) tls(names []string) *tls.Config {
	config, client := c.Identity.ServerTLS(), c.Identity.ClientTLS()
	config.GetClientCertificate = client.GetClientCertificate
	config.ServerName, config.InsecureSkipVerify = client.ServerName, client.InsecureSkipVerify
	// The one server also dials: each end's certificate is for both.
	asServer, asClient := config.VerifyConnection, client.VerifyConnection
	config.VerifyConnection = func(state tls.ConnectionState) error {
		if err := errors.Join(asServer(state), asClient(state)); err != nil {
			return err
		}
		role, name, err := identity.PeerName(state)
		if err != nil {
			return err
		}
		if role != identity.RoleCore || !slices.Contains(names, name) {
			return fmt.Errorf("%s %q is none of the cores %q that keep these logs", role, name, names)
		}
		return nil
	}
	return config
}

// reroute makes a running server look for the others at their addresses of now.
func (e *embedded) reroute(routes []*url.URL) error {
	next := e.options.Clone()
	next.Routes = routes
	if err := e.server.ReloadOptions(next); err != nil {
		return fmt.Errorf("change the addresses of other cores: %w", err)
	}
	e.options = next
	return nil
}

// current reports whether this core's copy of every stream has what the
// leader's has.
func (e *embedded) current(streams []string) bool {
	return !slices.ContainsFunc(streams, func(name string) bool {
		return !e.server.JetStreamIsStreamCurrent(server.DEFAULT_GLOBAL_ACCOUNT, name)
	})
}
