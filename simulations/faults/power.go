package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"selvedge/simulations/fleet"
)

// A power loss can't be had without the power. What it does to a folder can:
// what was not synced is gone, and the next start is of another boot.

// afreshTime is how long clients may take to learn of a new epoch: the edges'
// backoff, then their own.
const afreshTime = 15 * time.Second

var powerLoss = scenario{
	name:  "power-loss",
	fault: "power loss under --sync default: the core is killed, the end of every log cut off, and the next boot has another id",
	must:  "a new epoch; every client starts afresh; nobody takes a new frame for an old one, though their numbers are the same",
	run: func(ctx context.Context, r *run) error {
		c, err := r.beforePowerLoss(ctx)
		if err != nil {
			return err
		}
		before := r.load
		cut, err := cutTails(r.fleet.Data())
		if err != nil {
			return err
		}
		old := *r.members[0].epoch.Load()
		r.nextRound(c)
		if err := r.fleet.StartCore(ctx); err != nil {
			return err
		}
		if err := r.until(ctx, afreshTime, "every member started afresh", func() bool { return r.afresh() == len(r.members) }); err != nil {
			return fmt.Errorf("%w: %w", errBroken, err)
		}
		epoch := *r.members[0].epoch.Load()
		r.saw("%d bytes were cut off; epoch %s, now %s; all %d members started afresh", cut, old, epoch, len(r.members))
		if epoch == old {
			return errors.New("the epoch is the old one")
		}
		r.publish(ctx, c.rooms, min(r.Rate, 1000), 200, r.fleet.Core.URL)
		if _, err := r.taken(ctx, callTime, 2000); err != nil {
			return err
		}
		r.load.stop()
		again := 0
		for p, first := range r.load.first {
			if first <= before.last[p] {
				again++
			}
		}
		r.saw("%d of %d logs gave numbers away again that they had given before", again, len(before.last))
		if again == 0 {
			return errors.New("no number came again: the tails were not cut, and nothing is shown")
		}
		return r.settle(ctx)
	},
}

var powerLossAlways = scenario{
	name:  "power-sync",
	fault: "power loss under --sync always: the core is killed, and the next boot has another id",
	must:  "nothing acknowledged is missing, and everyone goes on in the same epoch",
	run: func(ctx context.Context, r *run) error {
		if _, err := r.beforePowerLoss(ctx, "--sync", "always"); err != nil {
			return err
		}
		if err := otherBoot(r.fleet.Data()); err != nil {
			return err
		}
		if err := r.fleet.StartCore(ctx); err != nil {
			return err
		}
		r.saw("%v", r.load)
		if err := r.settle(ctx); err != nil {
			return err
		}
		return r.noneAfresh()
	},
}

// beforePowerLoss publishes for a while, and kills the core.
func (r *run) beforePowerLoss(ctx context.Context, flags ...string) (crowd, error) {
	c := crowd{rooms: 20, members: 20, perMember: 2}
	if err := r.gather(ctx, fleet.Config{CoreFlags: flags, Regions: []string{"us-east", "eu-west"}}, c); err != nil {
		return c, err
	}
	r.publish(ctx, c.rooms, min(r.Rate, 1000), 200, r.fleet.Core.URL)
	if err := pause(ctx, 5*time.Second); err != nil { // the store shows its positions each 3 s
		return c, err
	}
	r.fleet.Core.Kill()
	r.load.stop()
	return c, r.quiet(ctx)
}

func (r *run) afresh() int {
	n := 0
	for _, m := range r.members {
		n += int(m.afresh.Load())
	}
	return n
}

// otherBoot makes a folder's marks those of an earlier boot.
func otherBoot(data string) error {
	path := filepath.Join(data, "epoch.json")
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var mark map[string]any
	if err := json.Unmarshal(b, &mark); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	mark["boot_id"] = "another"
	if b, err = json.Marshal(mark); err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o640)
}

// cutTails takes the second half of the newest block away from each frame log,
// as if it had not been written yet, and returns how many bytes that were.
func cutTails(data string) (cut int64, err error) {
	if err := otherBoot(data); err != nil {
		return 0, err
	}
	blocks, err := filepath.Glob(filepath.Join(data, "log", "jetstream", "*", "streams", "frames-*", "msgs", "*.blk"))
	if err != nil {
		return 0, err
	}
	newest := map[string]string{} // by folder
	for _, b := range blocks {
		dir := filepath.Dir(b)
		if was, ok := newest[dir]; !ok || blockNumber(b) > blockNumber(was) {
			newest[dir] = b
		}
	}
	for _, b := range newest {
		info, err := os.Stat(b)
		if err != nil {
			return cut, err
		}
		if err := os.Truncate(b, info.Size()/2); err != nil {
			return cut, err
		}
		cut += info.Size() - info.Size()/2
	}
	if cut == 0 {
		return 0, fmt.Errorf("there are no blocks of logs to cut in %s", data)
	}
	return cut, nil
}

// blockNumber is the n of n.blk.
func blockNumber(path string) (n int) {
	_, _ = fmt.Sscanf(filepath.Base(path), "%d.blk", &n) // else it is 0, the oldest
	return n
}
