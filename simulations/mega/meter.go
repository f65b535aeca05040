package mega

import (
	"context"
	"time"

	"selvedge/simulations/fleet"
)

// work is what was used in a time.
type work struct {
	wall   time.Duration
	cpu    usage
	frames float64 // out of the core, on links
	bytes  float64
}

func (w work) plus(o work) work {
	return work{w.wall + o.wall, w.cpu.plus(o.cpu), w.frames + o.frames, w.bytes + o.bytes}
}

// without is w less what an idle fleet does in that time anyway.
func (w work) without(idle work) work {
	if idle.wall == 0 {
		return w
	}
	part := float64(w.wall) / float64(idle.wall)
	w.cpu = w.cpu.less(idle.cpu.times(part))
	w.frames -= idle.frames * part
	w.bytes -= idle.bytes * part
	return w
}

// meter reads what has been used so far.
type meter struct {
	at     time.Time
	cpu    usage
	frames float64
	bytes  float64
}

func (r *rig) meter(ctx context.Context) (m meter, err error) {
	if r.fleet != nil {
		metrics, err := fleet.ReadMetrics(ctx, r.fleet.Core.Admin)
		if err != nil {
			return m, err
		}
		m.frames, m.bytes = metrics.Sum("selvedge_link_frames_total"), metrics.Sum("selvedge_link_bytes_total")
	}
	m.cpu, err = r.usage()
	m.at = time.Now()
	return m, err
}

// measure tells what was used while what ran, and until quiet after it.
func (r *rig) measure(ctx context.Context, what func() error) (w work, err error) {
	before, err := r.meter(ctx)
	if err != nil {
		return w, err
	}
	if err := what(); err != nil {
		return w, err
	}
	if err := settle(ctx, quiet); err != nil {
		return w, err
	}
	now, err := r.meter(ctx)
	return work{now.at.Sub(before.at), now.cpu.less(before.cpu), now.frames - before.frames, now.bytes - before.bytes}, err
}

// idle tells what is used while nothing is published.
func (r *rig) idle(ctx context.Context, seconds float64) (work, error) {
	return r.measure(ctx, func() error { return settle(ctx, time.Duration(seconds*float64(time.Second))) })
}
