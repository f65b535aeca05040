package bench

import (
	"errors"
	"time"

	"selvedge/simulations/load"
)

// usage is the CPU time that processes have used so far.
type usage struct {
	edge, core, floor, clients time.Duration
}

// usage reads it.
func (r *rig) usage() (u usage, err error) {
	add := func(to *time.Duration, pids ...int) {
		for _, pid := range pids {
			d, cpuErr := load.CPU(pid)
			err = errors.Join(err, cpuErr)
			*to += d
		}
	}
	for _, e := range r.fleet.Edges {
		add(&u.edge, e.PID())
	}
	for _, f := range r.floors {
		add(&u.floor, f.PID())
	}
	add(&u.core, r.fleet.Core.PID())
	if r.clients != nil {
		add(&u.clients, r.clients.PIDs()...)
	}
	return u, err
}

func (u usage) since(before usage) usage {
	return usage{
		edge: u.edge - before.edge, core: u.core - before.core,
		floor: u.floor - before.floor, clients: u.clients - before.clients,
	}
}

// micros is d per n, in microseconds.
func micros(d time.Duration, n int) float64 { return float64(d) / 1e3 / float64(n) }
