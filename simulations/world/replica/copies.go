package replica

import (
	"context"
	"time"

	"selvedge/wire"
)

// run brings copies up to date, and replaces leaders, until ctx ends.
func (c *Cluster) run(ctx context.Context) {
	defer close(c.ended)
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		ways := c.look()
		c.mu.Lock()
		for i, lg := range c.logs {
			c.leadLocked(i, lg, ways)
			c.copyLocked(i, lg, ways)
		}
		c.mu.Unlock()
	}
}

// ways are the pairs of cores that hear each other, at one moment.
type ways [][]bool

// look asks the network. A core hears itself if it is alive and does not stall.
func (c *Cluster) look() ways {
	w := make(ways, len(c.cfg.Hosts))
	for i, from := range c.cfg.Hosts {
		w[i] = make([]bool, len(c.cfg.Hosts))
		for k, to := range c.cfg.Hosts {
			_, there := c.cfg.Net.Way(from, to)
			_, back := c.cfg.Net.Way(to, from)
			w[i][k] = there && back
		}
	}
	return w
}

// majority reports whether a core hears one, itself included.
func (w ways) majority(core int) bool {
	n := 0
	for _, hears := range w[core] {
		if hears {
			n++
		}
	}
	return w[core][core] && 2*n > len(w)
}

// leadLocked replaces a leader that has had no majority for as long as an
// election takes.
func (c *Cluster) leadLocked(i int, lg *sharedLog, w ways) {
	if w.majority(lg.leader) {
		lg.lost = time.Time{}
		return
	}
	now := c.cfg.Net.Since()
	if lg.lost.IsZero() {
		lg.lost = time.Now()
	}
	takes := leastElection + time.Duration(c.draw(uint64(i), uint64(now/time.Minute))%uint64(moreElection))
	if time.Since(lg.lost) < takes {
		return
	}
	for k := range lg.has { // any two cores have all: that is what acknowledged means
		if w.majority(k) && int(lg.has[k]) == len(lg.records) {
			lg.leader, lg.lost = k, time.Time{}
			return
		}
	}
}

// copyLocked gives the copies of those that the leader hears what they lack, but
// for those that are behind just now.
func (c *Cluster) copyLocked(i int, lg *sharedLog, w ways) {
	if !w.majority(lg.leader) {
		return
	}
	at := uint64(c.cfg.Net.Since() / window)
	for k := range lg.has {
		slow := at%2 == 0 && c.draw(uint64(i)<<8|uint64(k), at)%slowOneIn == 0
		if w[lg.leader][k] && !slow {
			c.raiseLocked(lg, k, wire.Seq(len(lg.records)))
		}
	}
}

// raiseLocked has a core's copy reach a position.
func (c *Cluster) raiseLocked(lg *sharedLog, core int, to wire.Seq) {
	if lg.has[core] < to {
		lg.has[core] = to
		close(c.changed[core])
		c.changed[core] = make(chan struct{})
	}
}
