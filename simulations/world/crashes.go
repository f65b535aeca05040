package world

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// crashes are scenarios of one core whose process or machine ends. Its logs are
// the real ones, on disk.
func crashes() []Scenario {
	killed := standard("the core is killed, twice")
	killed.For = 30 * time.Second
	killed.Load.Every, killed.Load.Drops = 500*time.Millisecond, 3*time.Second
	killed.Meanwhile = func(ctx context.Context, w *World) error {
		r := rand.New(rand.NewPCG(w.cfg.Seed, 2))
		for range 2 {
			if !after(ctx, 4*time.Second+drawn(r, 4*time.Second)) {
				return nil
			}
			if err := w.CrashCore(0); err != nil {
				return err
			}
			<-time.After(drawn(r, 4*time.Second))
			if err := w.ReviveCore(context.WithoutCancel(ctx), 0); err != nil {
				return err
			}
		}
		return nil
	}

	return []Scenario{killed, powerLoss(true)}
}

// powerLoss is a scenario of one core that loses its power, and what it wrote last.
// honest says that its machine knows that it was started again; else the logs
// begin at positions that are used already, in the same epoch.
func powerLoss(honest bool) Scenario {
	power := standard("the core loses its power, and what it wrote last")
	power.For = 25 * time.Second
	power.Load.Every, power.Load.Churn, power.Load.Drops = 500*time.Millisecond, 0, 3*time.Second
	power.Afresh = 1
	power.Meanwhile = func(ctx context.Context, w *World) error { return w.losePower(ctx, honest) }
	return power
}

// losePower ends the one core's machine, and starts it with what was on its disk
// some seconds before.
func (w *World) losePower(ctx context.Context, honest bool) error {
	r := rand.New(rand.NewPCG(w.cfg.Seed, 3))
	if !after(ctx, 5*time.Second+drawn(r, 5*time.Second)) {
		return nil
	}
	n := w.Cores[0]
	left := filepath.Join(w.cfg.Dir, "on-disk")
	var err error
	w.Net.Quiet(func() { err = os.CopyFS(left, os.DirFS(n.folder)) })
	if err != nil {
		return fmt.Errorf("copy the disk: %w", err)
	}
	w.note("what %s writes from here on stays in memory", n.Name)
	<-time.After(time.Second + drawn(r, 3*time.Second))
	w.Net.Crash(n.Host, w.powerIsLost)
	w.note("%s loses its power", n.Name)
	n.die()
	n.folder = left
	if honest {
		w.boots[0] = "second"
	}
	<-time.After(drawn(r, 4*time.Second))
	return w.ReviveCore(context.WithoutCancel(ctx), 0)
}

// powerIsLost takes note that the logs may have lost their ends just now.
func (w *World) powerIsLost() {
	w.mu.Lock()
	w.lost = w.Net.Since()
	w.mu.Unlock()
	w.Book.PowerLoss()
	if w.truth != nil {
		w.truth.powerLoss()
	}
}

// powerLost is when that was; 0 = never.
func (w *World) powerLost() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lost
}

// after waits; false = ctx ended first.
func after(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// drawn is a duration below most.
func drawn(r *rand.Rand, most time.Duration) time.Duration {
	return time.Duration(r.Int64N(int64(most)))
}
