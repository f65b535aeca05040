package world

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"selvedge/core"
	"selvedge/edge"
	"selvedge/simulations/ledger"
	"selvedge/simulations/netsim"
	"selvedge/simulations/world/replica"
)

// Config says what a World is like. It is not modified.
type Config struct {
	// Seed decides about the network, as far as chance does.
	Seed uint64
	// Dir is a folder for the cores' data.
	Dir string
	// Home is the region of the core, and Regions those of the edges, one each.
	Home    string
	Regions []string
	// More are the regions of further cores. With these the logs are replicated
	// among all, by package replica; without, they are the core's own, on disk.
	More []string
	// Path replaces what the world knows of the way between two hosts, and Watch is
	// told of each packet, both as netsim.Config has it; nil = half of the round trip
	// between the regions, and nobody.
	Path  func(from, to netsim.Host) netsim.Path
	Watch func(netsim.Packet)
	// Access is what hosts share, as netsim.Config has it; nil = nothing.
	Access func(netsim.Host) *netsim.Access
	// Logs is the number of frame logs; 0 = the core's default.
	Logs int
	// Core and Edge may change a node's settings, at each of its starts; nil = they
	// stay.
	Core func(*core.Config)
	Edge func(*edge.Config)
	// Heard has it noted what the state log says, and when.
	Heard bool
	// Buffer is what a TCP socket holds in each direction, in bytes; 0 = 256 KiB.
	Buffer int
	// Clients bounds how many there may be.
	Clients int
	Logger  *slog.Logger // nil = silence
}

// linger is for goroutines that end by themselves, such as a probe of gossip
// that waits for its answer.
const linger = time.Minute

// World is a running cluster.
type World struct {
	Net     *netsim.Network
	Cores   []*Node
	Edges   []*Node
	Clients []*Client
	API     *Backend
	Book    *ledger.Ledger
	truth   *witness         // nil if Config says nothing of it
	Logs    *replica.Cluster // of several cores; nil = of one

	cfg    Config
	places geography
	http   *http.Client
	boots  []string // by core: the identity of its machine's boot

	mu     sync.Mutex
	events []string      // guarded by mu; see note
	lost   time.Duration // guarded by mu; when the power was, 0 = it was not
}

// Start runs a cluster, and returns when all its nodes are fit for traffic. It
// belongs to the bubble of the caller; Close it, also after an error.
func Start(ctx context.Context, cfg Config) (*World, error) {
	w := &World{cfg: cfg, places: geography{}, Book: ledger.New()}
	if err := w.layOut(); err != nil {
		return w, err
	}
	w.boots = make([]string, 1+len(cfg.More))
	path := w.places.path
	if cfg.Path != nil {
		path = cfg.Path
	}
	w.Net = netsim.New(netsim.Config{Seed: cfg.Seed, Path: path, Watch: cfg.Watch, Access: cfg.Access, Buffer: cfg.Buffer})
	if cfg.Heard {
		w.truth = &witness{since: w.Net.Since}
	}
	w.http = &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			return w.Net.Dial(ctx, backendHost, addr)
		},
	}}
	if err := w.startCores(ctx); err != nil {
		return w, err
	}
	w.API = newBackend(w)
	for i := range cfg.Regions {
		n, err := w.startEdge(ctx, i)
		w.Edges = append(w.Edges, n)
		if err != nil {
			return w, err
		}
	}
	return w, nil
}

// layOut gives every host its place. Client i is where edge i is, modulo their
// number.
func (w *World) layOut() error {
	home, err := place(w.cfg.Home)
	if err != nil {
		return err
	}
	w.places[coreHost], w.places[backendHost] = home, home
	for i, name := range w.cfg.More {
		if w.places[coreAt(i+1)], err = place(name); err != nil {
			return err
		}
	}
	for i, name := range w.cfg.Regions {
		r, err := place(name)
		if err != nil {
			return err
		}
		w.places[firstEdge+netsim.Host(i)] = r
		for k := i; k < w.cfg.Clients; k += len(w.cfg.Regions) {
			w.places[firstClient+netsim.Host(k)] = r
		}
	}
	return nil
}

// Close ends clients, edges, cores and the network.
func (w *World) Close() error {
	var errs []error
	for _, c := range w.Clients {
		errs = append(errs, c.stop())
	}
	for _, n := range append(w.Edges, w.Cores...) {
		if n == nil {
			continue
		}
		if err := n.Stop(); err != nil && !n.killed {
			errs = append(errs, fmt.Errorf("%s: %w", n.Name, err))
		}
	}
	if w.http != nil {
		w.http.CloseIdleConnections()
	}
	if w.Logs != nil {
		w.Logs.Close()
	}
	if w.Net != nil {
		w.Net.Close()
	}
	<-time.After(linger)
	return errors.Join(errs...)
}
