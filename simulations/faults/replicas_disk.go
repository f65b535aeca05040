package faults

import (
	"context"
	"os"
	"path/filepath"
	"time"

	backend "selvedge/core/client"
	"selvedge/simulations/fleet"
	"selvedge/wire"
)

var fullOfThree = scenario{
	name:  "full-one-of-three",
	fault: "the disk of one of three cores (--replicas 3), a tmpfs of 64 MiB, is full under load; then it isn't",
	must:  "publishes continue within 10 s; every acknowledged publish is delivered once, in order; the core recovers by itself",
	run: func(ctx context.Context, r *run) error {
		data, err := os.MkdirTemp("", "selvedge-data-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(data) }()
		disk := filepath.Join(data, "core-1")
		if err := os.Mkdir(disk, 0o700); err != nil {
			return err
		}
		if err := mountTmpfs(ctx, disk); err != nil {
			return err
		}
		defer r.unmount(disk)
		r.patience = publishPatience
		if err := r.startThree(ctx, fleet.Config{Data: data}); err != nil {
			return err
		}
		core := r.fleet.Core
		if _, err := r.taken(ctx, callTime, 500); err != nil {
			return err
		}
		if err := fill(disk); err != nil {
			return err
		}
		// It has little room left, and takes it.
		if err := r.until(ctx, callTime, core.Name+" meets the end of its disk", func() bool { return r.refusedBy(ctx, core) }); err != nil {
			return err
		}
		if err := r.wentOn(ctx, core.Name+" has a full disk"); err != nil {
			return err
		}
		if err := pause(ctx, 3*time.Second); err != nil {
			return err
		}
		if err := os.Remove(filler(disk)); err != nil {
			return err
		}
		began := time.Now()
		if err := r.until(ctx, callTime, core.Name+" takes publishes again", func() bool { return !r.refusedBy(ctx, core) }); err != nil {
			return err
		}
		r.saw("%s took publishes again %v after there was room, by itself", core.Name, time.Since(began).Round(time.Millisecond))
		if err := r.wentOn(ctx, core.Name+" has room again"); err != nil {
			return err
		}
		return r.endThree(ctx)
	},
}

// refusedBy reports whether a core refuses a publish now.
func (r *run) refusedBy(ctx context.Context, core *fleet.Node) bool {
	ctx, cancel := context.WithTimeout(ctx, publishPatience)
	defer cancel()
	probe := api(core)
	probe.Retries = -1
	data, err := wire.ParseJSON([]byte(`{}`))
	if err != nil {
		return false
	}
	_, err = probe.Publish(ctx, backend.Message{Channel: "topic:probe", Data: data})
	return err != nil
}
