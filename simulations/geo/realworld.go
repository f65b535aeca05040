package geo

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"selvedge/internal/identity"
	"selvedge/simulations/child"
	"selvedge/simulations/fleet"
	"selvedge/simulations/netsim"
	"selvedge/simulations/router"
	"selvedge/simulations/world"
)

const (
	httpPort   = 80 // as in a world
	gossipPort = 7402
	// realReady bounds the start of all nodes.
	realReady = time.Minute
	// keysFor is how long the run's keys are good.
	keysFor = 24 * time.Hour
)

// realWorld is a core and edges as processes, each in a network namespace of its own, like
// machines; clients and publishers share one, and have an address each.
type realWorld struct {
	p      *plan
	self   int    // this process
	binary string // of all
	dir    string // for keys and the core's data; removed by stop
	spaces []*router.Space
	router *router.Router
	nodes  []*realNode // the core, then the edges
	apiKey string
	secret string
}

// realNode is a process, and where it is.
type realNode struct {
	*fleet.Node
	host  netsim.Host
	space *router.Space
}

// startReal starts everything, and returns when all nodes are fit for traffic. Stop it, also
// after an error.
func startReal(ctx context.Context, p *plan) (w *realWorld, err error) {
	w = &realWorld{p: p, self: os.Getpid(), apiKey: rand.Text(), secret: rand.Text() + rand.Text()}
	if w.binary, err = os.Executable(); err != nil {
		return w, err
	}
	if w.dir, err = child.Folder("geo-real"); err != nil {
		return w, err
	}
	if err := w.route(); err != nil {
		return w, err
	}
	if err := w.startNodes(); err != nil {
		return w, err
	}
	ctx, cancel := context.WithTimeout(ctx, realReady)
	defer cancel()
	for _, n := range w.nodes {
		if err := n.await(ctx); err != nil {
			return w, err
		}
	}
	return w, nil
}

// route makes the namespaces, and starts the router between them.
func (w *realWorld) route() error {
	spots := w.p.layOut()
	plan, homes := routing(w.p, spots)
	for _, hosts := range homes {
		s, err := router.NewSpace(hosts...)
		if err != nil {
			return err
		}
		w.spaces = append(w.spaces, s)
	}
	var err error
	w.router, err = router.Start(plan, w.spaces, w.binary, "simulate", "router")
	return err
}

// startNodes starts the processes.
func (w *realWorld) startNodes() error {
	ca, err := identity.NewCA(keysFor)
	if err != nil {
		return err
	}
	if err := ca.Save(w.dir); err != nil {
		return err
	}
	var gossip [32]byte
	_, _ = rand.Read(gossip[:]) // never fails
	for name, text := range map[string]string{
		"gossip": base64.StdEncoding.EncodeToString(gossip[:]), "api-keys": "crowd:" + w.apiKey, "secret": w.secret,
	} {
		if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text+"\n"), 0o600); err != nil {
			return err
		}
	}
	err = w.startNode(ca, "core", "core-1", world.CoreHost, 0, w.p.scenario.Core,
		"--api-addr", world.CoreHost.Addr(httpPort).String(), "--data", filepath.Join(w.dir, "data"), "--api-keys", filepath.Join(w.dir, "api-keys"))
	for i, r := range w.p.edges {
		if err != nil {
			return err
		}
		host := world.EdgeHost(i)
		err = w.startNode(ca, "edge", fmt.Sprintf("edge-%d", i+1), host, 1+i, w.p.scenario.Regions[r],
			"--public-addr", host.Addr(httpPort).String(), "--join", world.CoreHost.Addr(gossipPort).String(),
			"--token-secret-file", filepath.Join(w.dir, "secret"), "--allowed-origins", "*", "--drain", "0s")
	}
	return err
}

func (w *realWorld) startNode(ca *identity.CA, role, name string, host netsim.Host, space int, region string, more ...string) error {
	issued, err := identity.IssueNode(ca, role, name, nil, keysFor)
	if err != nil {
		return err
	}
	files := identity.NodeFilesIn(w.dir, role, name)
	if err := issued.Save(files); err != nil {
		return err
	}
	args := append(w.spaces[space].Under(w.binary), w.binary, role, "--region", region, "--log-level", "warn",
		"--cert", files.Cert, "--key", files.Key, "--ca", files.CA, "--gossip-key", filepath.Join(w.dir, "gossip"),
		"--link-addr", host.Addr(world.LinkPort).String(), "--gossip-addr", host.Addr(gossipPort).String(), "--admin-addr", host.Addr(world.AdminPort).String())
	cmd := exec.Command(args[0], append(args[1:], more...)...)
	detach(cmd)
	n, err := fleet.Adopt(name, cmd)
	if err != nil {
		return err
	}
	w.nodes = append(w.nodes, &realNode{n, host, w.spaces[space]})
	return nil
}

// await waits until the node is fit for traffic, as its own host sees it.
func (n *realNode) await(ctx context.Context) error {
	t := &http.Transport{DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) { return n.space.Dial(ctx, n.host, addr) }}
	defer t.CloseIdleConnections()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%v/readyz", n.host.Addr(world.AdminPort)), http.NoBody)
		if err != nil {
			return err
		}
		res, err := (&http.Client{Transport: t}).Do(req)
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-n.Done():
			return fmt.Errorf("%s ended at its start: %s", n.Name, n.Log())
		case <-ctx.Done():
			return fmt.Errorf("%s was not ready in time: %w: %s", n.Name, errors.Join(err, ctx.Err()), n.Log())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// ground is what a crowd stands on here.
func (w *realWorld) ground(since func() time.Duration) ground {
	people := w.spaces[len(w.spaces)-1]
	at := map[netsim.Host]*router.Space{}
	on := ground{core: fmt.Sprintf("http://%v", world.CoreHost.Addr(httpPort)), apiKey: w.apiKey, secret: []byte(w.secret), since: since}
	for _, n := range w.nodes {
		at[n.host] = n.space
	}
	for _, n := range w.nodes[1:] {
		on.edges = append(on.edges, fmt.Sprintf("http://%v", n.host.Addr(httpPort)))
	}
	on.dial = func(ctx context.Context, from netsim.Host, addr string) (net.Conn, error) {
		if own := at[from]; own != nil {
			return own.Dial(ctx, from, addr)
		}
		return people.Dial(ctx, from, addr)
	}
	return on
}

// stop ends everything, and leaves nothing. What nodes logged is told if something failed.
func (w *realWorld) stop(failed error) (counts router.Counts, err error) {
	var errs []error
	for _, n := range slices.Backward(w.nodes) {
		stopping := n.Stop()
		if log := n.Log(); failed != nil && log != "" {
			errs = append(errs, fmt.Errorf("%s logged: %s", n.Name, log))
		} else if failed == nil && stopping != nil {
			errs = append(errs, fmt.Errorf("%s: %w: %s", n.Name, stopping, log))
		}
	}
	if w.router != nil {
		counts, err = w.router.Stop()
		errs = append(errs, err)
	}
	for _, s := range w.spaces {
		s.Close()
	}
	if w.dir != "" {
		errs = append(errs, os.RemoveAll(w.dir))
	}
	return counts, errors.Join(errs...)
}
