package world

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"selvedge/core"
	corelog "selvedge/core/log"
	"selvedge/internal/config"
	"selvedge/internal/identity"
	"selvedge/simulations/netsim"
	"selvedge/simulations/world/replica"
)

// drainTime is what a core that is drained gives the edges.
const drainTime = 5 * time.Second

// startCores starts all, on new folders.
func (w *World) startCores(ctx context.Context) error {
	count := 1 + len(w.cfg.More)
	if count > 1 {
		cfg := replica.Config{Net: w.Net, Logs: w.cfg.Logs, Seed: w.cfg.Seed}
		for i := range count {
			cfg.Hosts = append(cfg.Hosts, coreAt(i))
		}
		w.Logs = replica.New(cfg)
	}
	for i := range count {
		w.boots[i] = "first"
		n, err := w.startCore(ctx, i, filepath.Join(w.cfg.Dir, coreName(i)))
		if err != nil {
			return err
		}
		w.Cores = append(w.Cores, n)
	}
	for _, n := range w.Cores {
		if err := n.await(ctx); err != nil {
			return err
		}
	}
	return nil
}

func coreName(i int) string { return fmt.Sprintf("core-%d", i+1) }

// seeds are the gossip addresses that a node joins by.
func (w *World) seeds(self netsim.Host) (out []string) {
	for i := range 1 + len(w.cfg.More) {
		if h := coreAt(i); h != self {
			out = append(out, h.Addr(gossipPort).String())
		}
	}
	return out
}

// startCore starts core number i on a folder.
func (w *World) startCore(ctx context.Context, i int, folder string) (*Node, error) {
	name, host := coreName(i), coreAt(i)
	k, err := keys("core", name)
	if err != nil {
		return nil, err
	}
	gossip, err := newGossipSockets(w.Net, host)
	if err != nil {
		return nil, err
	}
	boot := w.boots[i]
	cfg := core.Config{
		Name: name, Region: w.places[host], Keys: k, APIKeys: identity.DevAPIKeys(), Build: config.ReadBuild(),
		Seeds: w.seeds(host), Logger: w.logger(name),
		APIAddr: port(httpPort), LinkAddr: port(linkPort), AdminAddr: port(adminPort), Reachable: reachable,
		Network: sockets{w.Net, host}, GossipTransport: gossip, Drain: drainTime,
		Log: corelog.Config{Dir: folder, Logs: w.cfg.Logs, BootID: func() string { return boot }},
	}
	if w.Logs != nil {
		cfg.OpenLog = func(ctx context.Context, _ corelog.Config) (core.Store, error) { return w.Logs.Open(ctx, i) }
	}
	if w.cfg.Core != nil {
		w.cfg.Core(&cfg)
	}
	if w.truth != nil {
		cfg.OpenLog = w.overhear(cfg.OpenLog)
	}
	n := w.start(ctx, name, host, func(ctx context.Context) error { return core.Run(ctx, cfg) })
	n.folder = folder
	return n, nil
}

// CrashCore ends core number i as kill -9 does: its sockets vanish without a
// word, and of its folder there is what was written by then.
func (w *World) CrashCore(i int) (err error) {
	n := w.Cores[i]
	left := fmt.Sprintf("%s,%v", n.folder, w.Net.Since())
	w.Net.Crash(n.Host, func() { err = os.CopyFS(left, os.DirFS(n.folder)) })
	w.note("%s is killed", n.Name)
	n.die()
	n.folder = left
	return err
}

// ReviveCore starts a core again that was killed or drained, on its folder, and
// returns when it is fit for traffic.
func (w *World) ReviveCore(ctx context.Context, i int) error {
	w.Net.Revive(coreAt(i))
	w.note("%s starts again", coreName(i))
	n, err := w.startCore(ctx, i, w.Cores[i].folder)
	if err != nil {
		return err
	}
	w.Cores[i] = n
	return n.await(ctx)
}

// DrainCore ends a core in good order, as SIGTERM does.
func (w *World) DrainCore(i int) error {
	w.note("%s is drained", w.Cores[i].Name)
	return w.Cores[i].Stop()
}

// note takes note of what was done to the world, for the report.
func (w *World) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, fmt.Sprintf("at %v: ", w.Net.Since())+fmt.Sprintf(format, args...))
}

// happened is what was noted.
func (w *World) happened() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.events
}

// coreHosts are where the cores are.
func (w *World) coreHosts() (hosts []netsim.Host) {
	for i := range w.Cores {
		hosts = append(hosts, coreAt(i))
	}
	return hosts
}
