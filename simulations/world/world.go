package world

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"selvedge/core"
	backend "selvedge/core/client"
	"selvedge/edge"
	"selvedge/internal/identity"
	"selvedge/simulations/ledger"
	"selvedge/simulations/netsim"
)

// Config says what a World is like. It is not modified.
type Config struct {
	// Seed decides about the network, as far as chance does.
	Seed uint64
	// Dir is a folder for the core's data.
	Dir string
	// Home is the region of the core, and Regions those of the edges, one each.
	Home    string
	Regions []string
	// Logs is the number of frame logs; 0 = the core's default.
	Logs int
	// Core and Edge may change a node's settings; nil = they stay.
	Core func(*core.Config)
	Edge func(*edge.Config)
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
	Core    *Node
	Edges   []*Node
	Clients []*Client
	API     *backend.Client // of the core, from the backend's host
	Book    *ledger.Ledger

	cfg    Config
	places geography
	http   *http.Client
}

// Start runs a cluster, and returns when all its nodes are fit for traffic. It
// belongs to the bubble of the caller; Close it, also after an error.
func Start(ctx context.Context, cfg Config) (*World, error) {
	w := &World{cfg: cfg, places: geography{}, Book: ledger.New()}
	if err := w.layOut(); err != nil {
		return w, err
	}
	w.Net = netsim.New(netsim.Config{Seed: cfg.Seed, Path: w.places.path, Buffer: cfg.Buffer})
	w.http = &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			return w.Net.Dial(ctx, backendHost, addr)
		},
	}}
	if err := w.startCore(ctx); err != nil {
		return w, err
	}
	w.API = &backend.Client{BaseURL: w.Core.URL, Key: identity.DevAPIKey, HTTP: w.http}
	for i := range cfg.Regions {
		if err := w.startEdge(ctx, i); err != nil {
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

// Close ends clients, edges, the core and the network.
func (w *World) Close() error {
	var errs []error
	for _, c := range w.Clients {
		errs = append(errs, c.stop())
	}
	for _, n := range append(w.Edges, w.Core) {
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
	if w.Net != nil {
		w.Net.Close()
	}
	<-time.After(linger)
	return errors.Join(errs...)
}
