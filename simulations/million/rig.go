package million

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"selvedge/core/client"
	"selvedge/internal/identity"
	"selvedge/simulations/fleet"
	"selvedge/simulations/load"
)

const (
	// spareSockets are those that an edge takes beside its share: the sockets'
	// turns are not that exact.
	spareSockets = 64
	// sources is how many loopback addresses the sockets come from: see package load.
	sources = 16
	// group is the sockets' name.
	group = "all"
	// userPrefix begins the users' ids; warmPrefix those of the ones who come and
	// go before anything is measured.
	userPrefix, warmPrefix = "u", "w"
	// warmSockets come and go at each edge, so that what a process needs once isn't
	// counted per socket.
	warmSockets = 20
	// quiet is the pause after a publish: what it left to do is done then, and counted.
	quiet = 200 * time.Millisecond
	// retries is how often a socket that isn't welcome tries again, as SDKs do.
	retries = 10
)

// rig is the processes of a run. Its methods are for one goroutine, but usage.
type rig struct {
	// Fixed.
	scenario *Scenario
	seed     uint64
	stderr   io.Writer
	began    time.Time
	binary   string

	fleet   *fleet.Fleet
	api     *client.Client
	clients *load.Clients

	out Outcome
}

// start starts the nodes and the load processes.
func (r *rig) start(ctx context.Context) (err error) {
	s := r.scenario
	if r.binary, err = os.Executable(); err != nil {
		return err
	}
	r.progress("starting a core and %d edges", s.edges())
	flags := []string{"--max-sockets", strconv.Itoa(split(s.Sockets, s.edges()) + spareSockets), "--accept-rate", "0", "--ping", s.Ping.String()}
	if r.fleet, err = fleet.Run(ctx, fleet.Config{Binary: r.binary, EdgeFlags: flags, Patience: 2 * time.Minute}); err != nil {
		return err
	}
	for i := range s.edges() {
		if _, err := r.fleet.StartEdge(ctx, s.Regions[i%len(s.Regions)]); err != nil {
			return err
		}
		if (i+1)%10 == 0 {
			r.progress("%d edges are ready", i+1)
		}
	}
	r.api = &client.Client{BaseURL: r.fleet.Core.URL, Key: identity.DevAPIKey}
	r.progress("starting %d load processes", s.processes())
	r.clients, err = load.Spawn(r.binary, s.processes(), "bench", "clients", "--loops", "1")
	return err
}

// end ends everything, and returns why the run failed, if it did.
func (r *rig) end(failed error) error {
	errs := []error{failed}
	if failed != nil && r.fleet != nil {
		for _, n := range append(slices.Clip(r.fleet.Edges), r.fleet.Core) {
			if n != nil && n.Log() != "" {
				r.progress("the end of what %s logged:\n%s", n.Name, n.Log())
			}
		}
	}
	if r.clients != nil {
		r.progress("closing the sockets")
		if err := r.clients.Close(); failed == nil { // else it was killed, or what it says is known
			errs = append(errs, err)
		}
	}
	if r.fleet != nil {
		r.progress("stopping the nodes")
		r.fleet.Stop()
	}
	return errors.Join(errs...)
}

// sockets are the group of all.
func (r *rig) sockets() load.Group {
	return load.Group{Name: group, User: userPrefix, Sockets: r.scenario.Sockets, InFlight: r.scenario.InFlight, Retries: retries, URLs: r.urls()}
}

func (r *rig) urls() (urls []string) {
	for _, u := range r.fleet.EdgeURLs() {
		urls = append(urls, "ws"+strings.TrimPrefix(u, "http")+"/v1/socket")
	}
	return urls
}

// warm lets a few sockets come and go at each edge.
func (r *rig) warm(ctx context.Context) error {
	r.progress("warming up")
	g := load.Group{Name: "warm", User: warmPrefix, Sockets: warmSockets * r.scenario.edges(), InFlight: r.scenario.InFlight, Retries: retries, URLs: r.urls()}
	if err := r.clients.Sign(ctx, g); err != nil {
		return err
	}
	if _, err := r.clients.Connect(ctx, g); err != nil {
		return err
	}
	return r.clients.Drop(ctx, g.Name)
}

// usage is the CPU time that the processes have used so far.
type usage struct {
	at                   time.Time
	edges, core, clients time.Duration
}

func (r *rig) usage() (u usage, err error) {
	add := func(to *time.Duration, pid int) {
		d, cpuErr := load.CPU(pid)
		err = errors.Join(err, cpuErr)
		*to += d
	}
	u.at = time.Now()
	for _, e := range r.fleet.Edges {
		add(&u.edges, e.PID())
	}
	add(&u.core, r.fleet.Core.PID())
	for _, pid := range r.clients.PIDs() {
		add(&u.clients, pid)
	}
	return u, err
}

// spent is what was used in some time, and how many pings the clients answered in it.
type spent struct {
	took, edges, core, clients time.Duration
	pings                      int64
}

func (u usage) since(before usage) spent {
	return spent{took: u.at.Sub(before.at), edges: u.edges - before.edges, core: u.core - before.core, clients: u.clients - before.clients}
}

// fewPings is how many pings are too few to tell what one costs.
const fewPings = 1000

// less is s without what idleness costs: the core in the same time, edges and
// clients with as many pings. A busy machine is late with these. Where there were
// few, also these in the same time.
func (s spent) less(idle spent) spent {
	of, all := s.pings, idle.pings
	if all < fewPings {
		of, all = int64(s.took), int64(idle.took)
	}
	part := func(d time.Duration, of, all int64) time.Duration {
		return time.Duration(float64(d) * float64(of) / float64(max(all, 1)))
	}
	s.edges -= part(idle.edges, of, all)
	s.clients -= part(idle.clients, of, all)
	s.core -= part(idle.core, int64(s.took), int64(idle.took))
	return s
}

// footprint looks at the memory.
func (r *rig) footprint() (f footprint, err error) {
	add := func(to *load.Memory, pid int) {
		m, memErr := load.MemoryOf(pid)
		err = errors.Join(err, memErr)
		*to = to.Plus(m)
	}
	for _, e := range r.fleet.Edges {
		add(&f.Edges, e.PID())
	}
	add(&f.Core, r.fleet.Core.PID())
	for _, pid := range r.clients.PIDs() {
		add(&f.Clients, pid)
	}
	k, kernelErr := readKernel()
	f.Kernel = k
	return f, errors.Join(err, kernelErr)
}

func (r *rig) progress(format string, args ...any) {
	at := time.Since(r.began).Round(100 * time.Millisecond)
	_, _ = fmt.Fprintf(r.stderr, "million: %7v  %s\n", at, fmt.Sprintf(format, args...)) // may go unread
}

// wait waits.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// micros is d per n, in microseconds.
func micros(d time.Duration, n int) float64 { return float64(d) / 1e3 / float64(max(n, 1)) }

func millis(d time.Duration) float64 { return float64(d) / 1e6 }
