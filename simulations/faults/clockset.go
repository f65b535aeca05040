package faults

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"selvedge/simulations/fleet"
)

// clocks are the wall clocks of the nodes of a stepped build.
type clocks struct{ dir string }

// makeClocks makes clocks that show the machine's time.
func makeClocks(dir string, nodes ...string) (clocks, error) {
	c := clocks{dir}
	for _, name := range nodes {
		if err := os.WriteFile(filepath.Join(dir, name), []byte{0}, 0o600); err != nil {
			return c, err
		}
	}
	return c, nil
}

// set makes a node's wall clock differ from the machine's by so many hours, from
// now on, or from its start on if it does not run.
func (c clocks) set(node string, hours int8) error {
	f, err := os.OpenFile(filepath.Join(c.dir, node), os.O_WRONLY, 0) // not truncated: the node has it mapped
	if err != nil {
		return err
	}
	if _, err := f.Write([]byte{byte(hours)}); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}

// shows fails unless a node's clock differs from the machine's by so many hours,
// as the dates of its answers tell.
func shows(ctx context.Context, n *fleet.Node, hours int8) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.Admin+"/readyz", nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	_ = res.Body.Close()
	date, err := http.ParseTime(res.Header.Get("Date"))
	if err != nil {
		return fmt.Errorf("%s says no date: %w", n.Name, err)
	}
	if off := time.Until(date).Round(time.Minute); off != time.Duration(hours)*time.Hour {
		return fmt.Errorf("the clock of %s is off by %v, and should be by %d h: nothing is shown", n.Name, off, hours)
	}
	return nil
}

// readiness looks at nodes ten times a second.
type readiness struct {
	quit    chan struct{} // closed by stop
	running sync.WaitGroup

	// Valid after stop.
	looks, unfit int
	longest      time.Duration // in which one was not fit for traffic
}

func watchReady(ctx context.Context, nodes []*fleet.Node) *readiness {
	w := &readiness{quit: make(chan struct{})}
	w.running.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		unfit := map[*fleet.Node]time.Time{} // since when
		for {
			for _, n := range nodes {
				w.looks++
				if fleet.Ready(ctx, n.Admin) {
					delete(unfit, n)
					continue
				}
				w.unfit++
				if unfit[n].IsZero() {
					unfit[n] = time.Now()
				}
				w.longest = max(w.longest, time.Since(unfit[n]))
			}
			select {
			case <-tick.C:
			case <-w.quit:
				return
			}
		}
	})
	return w
}

// stop ends the looking. It can be called again.
func (w *readiness) stop() {
	select {
	case <-w.quit:
	default:
		close(w.quit)
	}
	w.running.Wait()
}
