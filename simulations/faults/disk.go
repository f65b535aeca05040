package faults

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"selvedge/simulations/fleet"
)

var diskFull = scenario{
	name:  "disk-full",
	fault: "the disk of the core's data, a tmpfs of 64 MiB, is full; then it isn't",
	must:  "publishes are refused with unavailable (503); nothing acknowledged is lost; it recovers by itself",
	run: func(ctx context.Context, r *run) error {
		disk, err := os.MkdirTemp("", "selvedge-disk-")
		if err != nil {
			return err
		}
		defer func() { _ = os.Remove(disk) }() // empty once it is unmounted
		if err := mountTmpfs(ctx, disk); err != nil {
			return err
		}
		defer r.unmount(disk)
		return r.withoutDisk(ctx, fleet.Config{Data: filepath.Join(disk, "data"), Regions: []string{"us-east"}},
			func() error { return fill(disk) },
			func() error { return os.Remove(filler(disk)) })
	},
}

// Linux refuses to mount a file system read-only again while files are open for
// writing in it, as the core's are. What takes a folder away under open files, and
// can be undone, is the immutable flag: every write fails at once, also to files
// that were open before.
var readOnly = scenario{
	name:  "read-only",
	fault: "the core's data folder, on an ext4 of its own, and all files in it, open ones, too, take no write any more (chattr -R +i); then they do",
	must:  "publishes are refused with unavailable (503); nothing acknowledged is lost; it recovers by itself",
	run: func(ctx context.Context, r *run) error {
		disk, unmount, err := mountImage(ctx)
		if err != nil {
			return err
		}
		data := filepath.Join(disk, "data")
		defer func() {
			if r.fleet != nil {
				r.fleet.Stop() // the core holds the folder
			}
			_ = immutable(data, false) // it is where the part failed in the midst
			if err := unmount(); err != nil {
				r.progress("%v", err)
			}
		}()
		return r.withoutDisk(ctx, fleet.Config{Data: data, Regions: []string{"us-east"}},
			func() error { return immutable(data, true) },
			func() error { return immutable(data, false) })
	},
}

var noFiles = scenario{
	name:  "no-files",
	fault: "the core's data folder takes no new files (chmod), and those that are open can be written; then it takes new ones again",
	must:  readOnly.must,
	run: func(ctx context.Context, r *run) error {
		data, err := os.MkdirTemp("", "selvedge-data-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(data) }()
		cfg := fleet.Config{Data: data, Regions: []string{"us-east"}}
		if os.Getuid() == 0 {
			// Modes mean nothing to root, unless it gives up that privilege.
			setpriv, err := exec.LookPath("setpriv")
			if err != nil {
				return fmt.Errorf("%w: root needs setpriv: %w", errNotHere, err)
			}
			cfg.CoreUnder = []string{setpriv, "--bounding-set=-dac_override", "--"}
		}
		defer func() { _ = chmodAll(data, 0o750) }() // RemoveAll says if it is in the way
		return r.withoutDisk(ctx, cfg,
			func() error { return chmodAll(data, 0o550) },
			func() error { return chmodAll(data, 0o750) })
	},
}

// withoutDisk publishes while the disk goes away and comes back.
func (r *run) withoutDisk(ctx context.Context, cfg fleet.Config, away, back func() error) error {
	c := crowd{rooms: 6, members: 6, perMember: 2}
	if err := r.gather(ctx, cfg, c); err != nil {
		return err
	}
	r.publish(ctx, c.rooms, min(r.Rate, 2000), 2<<10, r.fleet.Core.URL)
	if _, err := r.taken(ctx, callTime, 500); err != nil {
		return err
	}
	if err := away(); err != nil {
		return err
	}
	began, before := time.Now(), r.load.acked.Load()
	if err := r.refused(ctx, time.Minute); err != nil {
		return err
	}
	r.saw("refused as unavailable (503), %v and %d acknowledged publishes later", time.Since(began).Round(time.Millisecond), r.load.acked.Load()-before)
	if err := pause(ctx, 3*time.Second); err != nil {
		return err
	}
	if err := back(); err != nil {
		return err
	}
	took, err := r.taken(ctx, time.Minute, 100)
	if err != nil {
		return err
	}
	r.saw("%d refused; publishes were acknowledged again %v after the cause was gone, by itself", r.load.failed.Load(), took.Round(time.Millisecond))
	r.load.stop()
	if err := r.settle(ctx); err != nil {
		return err
	}
	return r.noneAfresh()
}
