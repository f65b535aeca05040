package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"selvedge/core/client"
	"selvedge/internal/config"
	"selvedge/internal/identity"
	"selvedge/simulations/fleet"
	"selvedge/simulations/load"
)

const (
	// edgeSockets is how many an edge and a floor hold, under the usual limit
	// of 20,000 files.
	edgeSockets = 18_000
	// spareSockets are those that an edge takes beside its share: the sockets'
	// turns are not that exact.
	spareSockets = 64
	// quiet is the pause after a round: what it left to do is done then, and
	// counted.
	quiet = 200 * time.Millisecond
	// roundTime bounds a round, and what comes between two.
	roundTime = 5 * time.Minute

	ours  = "ours"
	bare  = "floor"
	place = "us-east" // of the edges
)

// rig is what a measurement needs: a core and edges, the bare floor, and the
// clients of both, all processes on this machine.
type rig struct {
	checks

	// Fixed.
	name   string
	binary string
	stderr io.Writer

	fleet   *fleet.Fleet
	api     *client.Client
	clients *load.Clients
	floors  []*load.Floor
	cert    certificate // of the edges; zero = plain TCP
	apart   apart       // zero = all share the CPUs
	temp    string      // folder; "" = none
	texts   load.Texts
}

// edgeFlags say how the edges are run.
type edgeFlags struct {
	Transport string `help:"How the edge serves sockets." enum:"epoll,portable" default:"${transport}"`
	TLS       bool   `help:"Clients come to the edge by TLS; the floor stays plain." name:"tls"`

	apart bool // an edge has a CPU to itself, and all else the others
}

// checks say when a frame counts as lost.
type checks struct {
	Patience time.Duration `help:"How long nothing may come before the rest counts as lost." default:"30s"`
	Lose     int           `help:"Have the floor leave out every this many-th write, to see that it is noticed; 0 = none." default:"0" hidden:""`
}

// newRig starts a core and the edges for so many sockets.
func newRig(ctx context.Context, name string, stdio *config.IO, sockets int, e edgeFlags) (*rig, error) {
	r := &rig{name: name, stderr: stdio.Stderr}
	var err error
	if r.binary, err = os.Executable(); err != nil {
		return r, err
	}
	edges := split(sockets, edgeSockets)
	flags := []string{"--transport", e.Transport, "--max-sockets", strconv.Itoa(split(sockets, edges) + spareSockets), "--accept-rate", "0"}
	if e.TLS {
		if r.temp, err = os.MkdirTemp("", "selvedge-bench-"); err != nil {
			return r, err
		}
		if r.cert, err = newCertificate(r.temp); err != nil {
			return r, fmt.Errorf("make a certificate: %w", err)
		}
		flags = append(flags, r.cert.flags()...)
	}
	if e.apart {
		if r.apart, err = newApart(ctx); err != nil {
			return r, err
		}
	}
	r.progress("starting a core and %s", count(edges, "edge"))
	if r.fleet, err = fleet.Run(ctx, fleet.Config{Binary: r.binary, EdgeUnder: r.apart.edge}); err != nil {
		return r, err
	}
	for range edges {
		if _, err := r.fleet.StartEdge(ctx, place, flags...); err != nil {
			return r, err
		}
	}
	r.api = &client.Client{BaseURL: r.fleet.Core.URL, Key: identity.DevAPIKey}
	return r, nil
}

// ours is the group of the edges' sockets: one for each of so many users.
func (r *rig) ours(first, sockets, inFlight int) load.Group {
	g := load.Group{Name: ours, User: userPrefix, First: first, Sockets: sockets, InFlight: inFlight, CA: r.cert.cert}
	for _, u := range r.fleet.EdgeURLs() {
		g.URLs = append(g.URLs, "ws"+strings.TrimPrefix(u, "http")+"/v1/socket")
	}
	return g
}

// bare is the group of the floor's sockets.
func (r *rig) bare(first, sockets, inFlight int) load.Group {
	g := load.Group{Name: bare, User: userPrefix, First: first, Sockets: sockets, InFlight: inFlight}
	for _, f := range r.floors {
		g.URLs = append(g.URLs, f.URL)
	}
	return g
}

// spawn starts the processes of clients for so many sockets in all.
func (r *rig) spawn(sockets int) error {
	n := split(sockets, load.MaxSockets)
	loops := max(runtime.NumCPU()/n, 1)
	var err error
	r.clients, err = load.Spawn(r.binary, n, "bench", "clients", "--loops", strconv.Itoa(loops))
	return err
}

// startFloors starts the floor for so many sockets, with welcomes of a size.
func (r *rig) startFloors(ctx context.Context, sockets, welcome int) error {
	for range split(sockets, edgeSockets) {
		f, err := load.StartFloor(ctx, r.binary, welcome, "bench", "floor", "--lose", strconv.Itoa(r.Lose))
		if err != nil {
			return err
		}
		r.floors = append(r.floors, f)
	}
	return nil
}

// end ends everything, and returns why the measurement failed, if it did.
func (r *rig) end(failed error) error {
	errs := []error{failed}
	if failed != nil && r.fleet != nil {
		for _, n := range append(r.fleet.Edges, r.fleet.Core) {
			if n != nil && n.Log() != "" {
				r.progress("the end of what %s logged:\n%s", n.Name, n.Log())
			}
		}
	}
	if r.clients != nil {
		errs = append(errs, r.clients.Close())
	}
	for _, f := range r.floors {
		errs = append(errs, f.Close())
	}
	if r.fleet != nil {
		r.fleet.Stop()
	}
	if r.temp != "" {
		errs = append(errs, os.RemoveAll(r.temp))
	}
	return errors.Join(append(errs, r.apart.end())...)
}

func (r *rig) progress(format string, args ...any) {
	_, _ = fmt.Fprintf(r.stderr, r.name+": "+format+"\n", args...) // may go unread
}

// publisher is a client of the API that keeps n connections.
func (r *rig) publisher(n int) *client.Client {
	return &client.Client{
		BaseURL: r.fleet.Core.URL, Key: identity.DevAPIKey, Retries: -1,
		HTTP: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: n, MaxConnsPerHost: n}},
	}
}

// settle waits until what a round left to do is done.
func settle(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// split is how many parts of at most size n needs, one at least.
func split(n, size int) int { return max((n+size-1)/size, 1) }

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
