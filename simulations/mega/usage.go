package mega

import (
	"errors"
	"os"
	"time"

	"selvedge/simulations/load"
)

// usage is the CPU time that the processes have used so far.
type usage struct{ edges, core, floors, clients, caller time.Duration }

func (r *rig) usage() (u usage, err error) {
	add := func(to *time.Duration, pids ...int) {
		for _, pid := range pids {
			d, cpuErr := load.CPU(pid)
			err = errors.Join(err, cpuErr)
			*to += d
		}
	}
	if r.fleet != nil {
		for _, e := range r.fleet.Edges {
			add(&u.edges, e.PID())
		}
		add(&u.core, r.fleet.Core.PID())
	}
	for _, f := range r.floors {
		add(&u.floors, f.PID())
	}
	if r.clients != nil {
		add(&u.clients, r.clients.PIDs()...)
	}
	add(&u.caller, os.Getpid())
	return u, err
}

func (u usage) less(o usage) usage {
	return usage{u.edges - o.edges, u.core - o.core, u.floors - o.floors, u.clients - o.clients, u.caller - o.caller}
}

func (u usage) plus(o usage) usage {
	return usage{u.edges + o.edges, u.core + o.core, u.floors + o.floors, u.clients + o.clients, u.caller + o.caller}
}

// times is a part of it, as of another time than it was taken in.
func (u usage) times(f float64) usage {
	of := func(d time.Duration) time.Duration { return time.Duration(float64(d) * f) }
	return usage{of(u.edges), of(u.core), of(u.floors), of(u.clients), of(u.caller)}
}
