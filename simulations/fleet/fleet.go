package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"selvedge/simulations/child"
)

// Config is what a fleet is made of.
type Config struct {
	// Binary is what the nodes are processes of.
	Binary string
	// Env is added to their environment.
	Env []string
	// Cores is how many there are; 0 = 1.
	Cores int
	// CoreFlags are for each core.
	CoreFlags []string
	// CoreUnder is a command that runs the cores: their command line follows it.
	// It must become the core (exec), so that signals reach it; empty = none.
	CoreUnder []string
	// EdgeUnder is the same for the edges.
	EdgeUnder []string
	// Data is the folder of the cores' data, made if missing, and kept by Stop;
	// "" = a temporary one.
	Data string
	// Regions has an edge in each.
	Regions []string
	// EdgeFlags are for each edge.
	EdgeFlags []string
	// Patience bounds the start of a node; 0 = 30 s.
	Patience time.Duration
}

// Fleet is cores and their edges.
type Fleet struct {
	Core  *Node   // the first of Cores
	Cores []*Node // in the order of their names
	Edges []*Node

	cfg  Config
	temp string // the folder to remove; "" = none
}

// Start starts a core, and an edge in each region, as processes of binary with
// env added, and waits until they are fit for traffic. Stop the fleet, also
// after an error.
func Start(ctx context.Context, binary string, env []string, regions ...string) (*Fleet, error) {
	return Run(ctx, Config{Binary: binary, Env: env, Regions: regions})
}

// Run starts a fleet and waits until its nodes are fit for traffic. Stop it,
// also after an error.
func Run(ctx context.Context, cfg Config) (*Fleet, error) {
	f := &Fleet{cfg: cfg}
	if cfg.Data == "" {
		var err error
		if f.temp, err = child.Folder("fleet"); err != nil {
			return f, err
		}
		f.cfg.Data = f.temp
	}
	if err := f.startCores(ctx); err != nil {
		return f, err
	}
	for _, region := range cfg.Regions {
		if _, err := f.StartEdge(ctx, region); err != nil {
			return f, err
		}
	}
	return f, nil
}

// startCores starts all of them before it waits for any: those of a cluster
// are ready only together.
func (f *Fleet) startCores(ctx context.Context) error {
	lines := make([][]string, max(f.cfg.Cores, 1))
	for i := range lines {
		var err error
		if lines[i], err = f.coreArgs(i); err != nil {
			return err
		}
	}
	for i, args := range lines {
		for k, other := range lines {
			if k != i {
				args = append(args, "--join", gossipOf(other))
			}
		}
		n, err := f.start(nameOf(args), f.cfg.CoreUnder, args)
		if err != nil {
			return err
		}
		f.Cores = append(f.Cores, n)
	}
	f.Core = f.Cores[0]
	for _, n := range f.Cores {
		if err := n.await(ctx, f.cfg.Patience); err != nil {
			return err
		}
	}
	return nil
}

// coreArgs is the command line of core i, but for whom it joins.
func (f *Fleet) coreArgs(i int) ([]string, error) {
	args, err := nodeArgs("core", fmt.Sprintf("core-%d", i+1), "--api-addr")
	if err != nil {
		return nil, err
	}
	args = append(append(args, "--data", f.folder(i)), f.cfg.CoreFlags...)
	if slices.Contains(f.cfg.CoreFlags, "--replicas") {
		addrs, err := FreeAddrs(1)
		if err != nil {
			return nil, err
		}
		args = append(args, "--log-addr", addrs[0])
	}
	return args, nil
}

// folder is the data of core i: all of Data for a single one.
func (f *Fleet) folder(i int) string {
	if f.cfg.Cores <= 1 {
		return f.cfg.Data
	}
	return filepath.Join(f.cfg.Data, fmt.Sprintf("core-%d", i+1))
}

// Data is the folder of the first core's data.
func (f *Fleet) Data() string { return f.folder(0) }

// StartCore starts the first core again, on the data and the addresses that it
// had, and waits until it is fit for traffic.
func (f *Fleet) StartCore(ctx context.Context) error {
	n, err := f.Restart(ctx, f.Core)
	if n != nil {
		f.Core = n
	}
	return err
}

// Restart starts a node that has ended again, on the data and the addresses that
// it had, and waits until it is fit for traffic. The new one takes the old one's
// place in f.
func (f *Fleet) Restart(ctx context.Context, old *Node) (*Node, error) {
	n, err := f.start(old.Name, old.under, old.args)
	if err != nil {
		return nil, err
	}
	for _, list := range [][]*Node{f.Cores, f.Edges} {
		if i := slices.Index(list, old); i >= 0 {
			list[i] = n
		}
	}
	if f.Core == old {
		f.Core = n
	}
	return n, n.await(ctx, f.cfg.Patience)
}

// StartEdge adds an edge in a region, with more flags. With --tls-cert among
// them its URL is an https one.
func (f *Fleet) StartEdge(ctx context.Context, region string, flags ...string) (*Node, error) {
	args, err := nodeArgs("edge", fmt.Sprintf("edge-%d", len(f.Edges)+1), "--public-addr")
	if err != nil {
		return nil, err
	}
	var seeds []string
	for _, c := range f.Cores {
		seeds = append(seeds, c.Gossip)
	}
	args = append(args, "--region", region, "--join", strings.Join(seeds, ","), "--drain", "0s") // a later --drain wins
	args = append(args, f.cfg.EdgeFlags...)
	n, err := f.start(nameOf(args), f.cfg.EdgeUnder, append(args, flags...))
	if err != nil {
		return nil, err
	}
	f.Edges = append(f.Edges, n)
	return n, n.await(ctx, f.cfg.Patience)
}

// Stop ends every node, edges first, and removes what is temporary.
func (f *Fleet) Stop() {
	for _, n := range slices.Concat(f.Edges, f.Cores) {
		_ = n.Stop() // it may have been killed
	}
	if f.temp != "" {
		_ = os.RemoveAll(f.temp)
	}
}

// Logs is the end of what each node logged that logged anything.
func (f *Fleet) Logs() string {
	var b strings.Builder
	for _, n := range slices.Concat(f.Cores, f.Edges) {
		fmt.Fprintf(&b, "%s:\n%s\n", n.Name, cmp.Or(n.Log(), "nothing"))
	}
	return b.String()
}

// EdgeURLs are the edges' public URLs.
func (f *Fleet) EdgeURLs() []string {
	var urls []string
	for _, e := range f.Edges {
		urls = append(urls, e.URL)
	}
	return urls
}

// errNoPorts says that loopback is full.
var errNoPorts = errors.New("no free ports on loopback")
