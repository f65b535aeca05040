package world

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"selvedge/edge"
	"selvedge/internal/config"
	"selvedge/internal/identity"
	"selvedge/internal/node"
	"selvedge/simulations/netsim"
	"selvedge/topology/region"
)

// readyTime bounds a node's start, in virtual time.
const readyTime = time.Minute

// Node is a core or an edge.
type Node struct {
	Name string
	Host netsim.Host
	URL  string // of the API, or the public port

	killed bool
	folder string // of a core

	w    *World
	stop context.CancelFunc
	done chan struct{} // closed when it has ended
	err  error         // set before done is closed
}

// start runs a node until it is stopped.
func (w *World) start(ctx context.Context, name string, host netsim.Host, run func(context.Context) error) *Node {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	n := &Node{
		Name: name, Host: host, URL: fmt.Sprintf("http://%s", host.Addr(httpPort)),
		w: w, stop: stop, done: make(chan struct{}),
	}
	go func() {
		n.err = run(ctx)
		close(n.done)
	}()
	return n
}

// await waits until the node is fit for traffic.
func (n *Node) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.URL+"/readyz", http.NoBody)
		if err != nil {
			return err
		}
		res, err := n.w.http.Do(req)
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-n.done:
			return fmt.Errorf("%s ended at its start: %w", n.Name, n.err)
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready after %v: %w", n.Name, readyTime, errors.Join(err, ctx.Err()))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Stop ends the node in good order.
func (n *Node) Stop() error {
	n.stop()
	<-n.done
	return n.err
}

// Kill takes the node off the network without a word, as a power cut of its
// machine does, and ends it there.
func (n *Node) Kill() {
	n.w.note("%s is killed", n.Name)
	n.w.Net.Kill(n.Host)
	n.die()
}

// die ends what runs on a host that is dead.
func (n *Node) die() {
	n.killed = true
	n.stop()
	<-n.done
}

func reachable(bound net.Addr) (string, error) { return bound.String(), nil }

func keys(role, name string) (node.Keys, error) {
	id, err := identity.DevNode(role, name)
	return node.Keys{Identity: id, Gossip: identity.DevGossipKey()}, err
}

func port(p int) string { return fmt.Sprintf("0.0.0.0:%d", p) }

// startEdge starts edge number i, and returns when it is fit for traffic.
func (w *World) startEdge(ctx context.Context, i int) (*Node, error) {
	name, host := fmt.Sprintf("edge-%d", i+1), firstEdge+netsim.Host(i)
	k, err := keys("edge", name)
	if err != nil {
		return nil, err
	}
	gossip, err := newGossipSockets(w.Net, host)
	if err != nil {
		return nil, err
	}
	cfg := edge.Config{
		Name: name, Region: w.places[host], Keys: k, Tokens: identity.DevTokens(), Build: config.ReadBuild(),
		Seeds: w.seeds(host), Logger: w.logger(name),
		PublicAddr: port(httpPort), LinkAddr: port(linkPort), AdminAddr: port(adminPort), Reachable: reachable,
		Network: sockets{w.Net, host}, GossipTransport: gossip,
		Transport: "portable", AllowedOrigins: []string{"*"}, CacheBytes: 64 << 20, Ping: 25 * time.Second,
		CPUTime: func() time.Duration { return 0 }, // how fast this machine is must change nothing
	}
	if w.cfg.Edge != nil {
		w.cfg.Edge(&cfg)
	}
	n := w.start(ctx, name, host, func(ctx context.Context) error { return edge.Run(ctx, cfg) })
	return n, n.await(ctx)
}

// RestartEdge ends edge number i in good order, as SIGTERM does, and starts it again
// after a while.
func (w *World) RestartEdge(ctx context.Context, i int, away time.Duration) error {
	w.note("%s is stopped", w.Edges[i].Name)
	if err := w.Edges[i].Stop(); err != nil {
		return err
	}
	<-time.After(away)
	w.note("%s starts again", w.Edges[i].Name)
	n, err := w.startEdge(context.WithoutCancel(ctx), i)
	if err != nil {
		return err
	}
	*w.Edges[i] = *n
	return nil
}

func dialWithin(n *netsim.Network, from netsim.Host, addr string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return n.Dial(ctx, from, addr)
}

// place finds a region by its name.
func place(name string) (region.Region, error) {
	r, ok := region.Lookup(name)
	if !ok {
		return r, fmt.Errorf("no region is named %q", name)
	}
	return r, nil
}

// logger is a node's, with the virtual time since the start.
func (w *World) logger(name string) *slog.Logger {
	if w.cfg.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return w.cfg.Logger.With("node", name)
}
