package replica

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"selvedge/simulations/netsim"
	"selvedge/wire"
)

// Config says what a Cluster is like. It is not modified.
type Config struct {
	Net   *netsim.Network
	Hosts []netsim.Host // of the cores, an odd number of them
	Logs  int           // the number of frame logs
	Seed  uint64        // decides who leads, how long an election takes, and which copy is behind
}

const (
	// tick is how often copies are brought up to date, and leaders looked at.
	tick = 20 * time.Millisecond
	// An election takes leastElection, and up to moreElection longer.
	leastElection = time.Second
	moreElection  = 4 * time.Second
	// A copy is behind for a window at a time, and never for two in a row: of every
	// second window, one of slowOneIn.
	window    = time.Second
	slowOneIn = 3
)

// Cluster is what the cores' logs have in common. It belongs to the bubble in
// which it is made, and is safe for concurrent use.
type Cluster struct {
	cfg   Config
	stop  context.CancelFunc
	ended chan struct{} // closed when run has ended

	mu      sync.Mutex
	epoch   string          // guarded by mu
	epochs  int             // guarded by mu; that there were
	logs    []*sharedLog    // guarded by mu; the state log is the last
	changed []chan struct{} // guarded by mu; by core: closed, and replaced, when its copies have more

	ears []func(*wire.Signal) // guarded by mu; by core: what gets the others' signals, nil = nothing
}

// sharedLog is one log. It is guarded by Cluster.mu.
type sharedLog struct {
	p       wire.LogID
	records []record            // acknowledged by a majority; number i has position i+1
	has     []wire.Seq          // by core: how far its copy is
	leader  int                 // a core
	lost    time.Time           // since when the leader has no majority; zero = it has one
	ids     map[string]wire.Seq // of idempotent appends
	keys    map[string]wire.Seq // the last record of each key, in the state log
}

// record is one acknowledged record: a frame's body, or a state record.
type record struct {
	ch    wire.Channel
	body  wire.Body
	state *wire.StateRecord
	id    string
}

// New is a cluster with empty logs. Close it before the network.
func New(cfg Config) *Cluster {
	ctx, stop := context.WithCancel(context.Background())
	c := &Cluster{cfg: cfg, stop: stop, ended: make(chan struct{})}
	for i := range cfg.Logs + 1 {
		p := wire.LogID(i)
		if i == cfg.Logs {
			p = wire.StateLog
		}
		c.logs = append(c.logs, &sharedLog{
			p: p, has: make([]wire.Seq, len(cfg.Hosts)), leader: int(c.draw(uint64(i), 0) % uint64(len(cfg.Hosts))),
			ids: map[string]wire.Seq{}, keys: map[string]wire.Seq{},
		})
	}
	for range cfg.Hosts {
		c.changed = append(c.changed, make(chan struct{}))
		c.ears = append(c.ears, nil)
	}
	c.renewLocked()
	go c.run(ctx)
	return c
}

// Close ends what the cluster does by itself.
func (c *Cluster) Close() {
	c.stop()
	<-c.ended
}

// Leader is the core that leads log p, or led it last.
func (c *Cluster) Leader(p wire.LogID) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.logs[c.index(p)].leader
}

// Bytes is what the logs' records take, about.
func (c *Cluster) Bytes() (bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, lg := range c.logs {
		for i := range lg.records {
			bytes += int64(len(lg.records[i].body))
		}
	}
	return bytes
}

// PowerLoss cuts the last records off every frame log, as many as given, and off the
// state log, and changes the epoch, as logs do that may lack a tail. Nothing may be
// open.
func (c *Cluster) PowerLoss(frames, state int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, lg := range c.logs {
		cut := frames
		if i == c.cfg.Logs {
			cut = state
		}
		lg.cutLocked(max(0, len(lg.records)-cut))
	}
	c.renewLocked()
}

func (c *Cluster) renewLocked() {
	c.epochs++
	c.epoch = fmt.Sprintf("epoch-%04d", c.epochs)
}

// cutLocked keeps the first n records.
func (lg *sharedLog) cutLocked(n int) {
	kept := lg.records[:n:n]
	lg.records = nil
	clear(lg.ids)
	clear(lg.keys)
	for _, r := range kept {
		lg.putLocked(r)
	}
	for i := range lg.has {
		lg.has[i] = wire.Seq(n)
	}
}

// putLocked appends a record, and returns its position.
func (lg *sharedLog) putLocked(r record) wire.Seq {
	lg.records = append(lg.records, r)
	seq := wire.Seq(len(lg.records))
	if r.id != "" {
		lg.ids[r.id] = seq
	}
	if r.state != nil {
		lg.keys[r.state.Key()] = seq
	}
	return seq
}

func (c *Cluster) index(p wire.LogID) int {
	if p == wire.StateLog {
		return c.cfg.Logs
	}
	return int(p)
}

// draw is a number that follows from the seed and what it is for.
func (c *Cluster) draw(what, of uint64) uint64 {
	x := c.cfg.Seed*0x9e3779b97f4a7c15 ^ what<<32 ^ of
	for range 2 { // the finalizer of MurmurHash3 (Appleby, 2011)
		x = (x ^ x>>33) * 0xff51afd7ed558ccd
		x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
		x ^= x >> 33
	}
	return x
}

// errCut: a core that is needed can't be reached.
var errCut = errors.New("the other cores can't be reached")
