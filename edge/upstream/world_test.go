package upstream

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"selvedge/topology"
	"selvedge/wire"
	"selvedge/wire/link"
	"selvedge/wire/link/linktest"
	"selvedge/wire/tail"
)

// world is an edge and some cores of one cluster, over a simulated network, in
// virtual time.
type world struct {
	t       *testing.T
	net     *linktest.Network
	u       *Upstream
	s       *sink
	changed chan struct{}
	lines   *lines

	mu     sync.Mutex
	cut    map[string]bool           // guarded by mu: addresses that no datagram reaches or leaves
	cores  map[string]*replica       // guarded by mu
	listed map[string]topology.State // guarded by mu: what gossip says
	all    map[wire.LogID][]tail.Record
	chs    []wire.Channel
}

// replica is a core with its copy of the cluster's logs.
type replica struct {
	*core
	// Guarded by world.mu.
	lags bool // takes no more records
	mute bool // nor stamps its logs
	stop func()
}

// lines are what was logged.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, string(b))
	return len(b), nil
}

// with counts the lines that have all of these parts.
func (l *lines) with(parts ...string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.all {
		if !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(line, p) }) {
			n++
		}
	}
	return n
}

// newWorld starts ready cores, and an edge that wants some channels of each log.
// The way between any two takes 5 ms.
func newWorld(t *testing.T, names ...string) *world { return newWorldWith(t, nil, names...) }

// newWorldWith is newWorld for an edge that takes logs from relays, those of names
// that begin so: relay names one for each log, "" = none.
func newWorldWith(t *testing.T, relay func(log int) string, names ...string) *world {
	w := &world{
		t: t, s: newSink(), changed: make(chan struct{}, 1), lines: &lines{}, cut: map[string]bool{},
		cores: map[string]*replica{}, listed: map[string]topology.State{}, all: map[wire.LogID][]tail.Record{},
	}
	w.net = linktest.NewNetwork(func(from, to string) (time.Duration, bool) {
		w.mu.Lock()
		defer w.mu.Unlock()
		return 5 * time.Millisecond, !w.cut[from] && !w.cut[to]
	})
	for _, name := range names {
		w.run(name)
		w.say(name, topology.StateReady)
	}
	logger := slog.New(slog.NewTextHandler(w.lines, nil))
	w.s.relays = relay != nil
	w.u = startOn(t, w.net.Port("10.0.1.1:1"), w.s, w.targets, w.changed, logger, func(cfg *Config) {
		if relay != nil {
			cfg.Relay = func(log, _ int) string { return relay(log) }
		}
	})
	for i := range 20 {
		ch := wire.Channel(fmt.Sprintf("room:%d", i))
		w.chs = append(w.chs, ch)
		w.u.Want(wire.LogOf(ch, logs), Want{Key: wire.FramesKey(ch), Token: string(ch)})
	}
	return w
}

func addrOf(name string) string {
	n := 0
	for _, r := range name {
		n = n*31 + int(r)
	}
	return fmt.Sprintf("10.0.0.%d:7401", n%250)
}

// run starts a core, with all that the cluster has.
func (w *world) run(name string) {
	r := &replica{core: newCoreOn(w.t, name, w.net.Port(addrOf(name)))}
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = sync.OnceFunc(func() {
		cancel()
		w.mu.Lock()
		r.mute, r.lags = true, true
		w.mu.Unlock()
		r.core.stop()
	})
	w.mu.Lock()
	w.cores[name] = r
	for p, records := range w.all {
		r.tails[p].Append(records...)
	}
	w.mu.Unlock()
	stamped := make(chan struct{})
	go func() {
		defer close(stamped)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			w.mu.Lock()
			if !r.mute {
				for _, tl := range r.tails {
					tl.Append(link.StampWatermark(tl.End(), 0, time.Now()))
				}
			}
			w.mu.Unlock()
		}
	}()
	w.t.Cleanup(func() {
		r.stop()
		<-stamped
	})
}

// die ends a core without a word: gossip knows a little later.
func (w *world) die(name string) {
	w.cutOff(name, true)
	time.AfterFunc(2*time.Second, func() { w.say(name, "") })
}

func (w *world) cutOff(name string, off bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut[addrOf(name)] = off
}

// say is what gossip says of a core from now on; "" = it is gone.
func (w *world) say(name string, state topology.State) {
	w.mu.Lock()
	if w.listed[name] = state; state == "" {
		delete(w.listed, name)
	}
	w.mu.Unlock()
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// targets are the cores that gossip knows, by name: so near are they.
func (w *world) targets() (out []Target) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(w.listed)) {
		out = append(out, Target{Node: name, Addr: addrOf(name), Region: "near-" + name, State: w.listed[name], Relay: isRelay(name)})
	}
	return out
}

// publish appends a frame of each channel, and a state record, at every core that
// takes them.
func (w *world) publish() {
	w.mu.Lock()
	defer w.mu.Unlock()
	add := func(p wire.LogID, r tail.Record) {
		w.all[p] = append(w.all[p], r)
		for _, c := range w.cores {
			if !c.lags {
				c.tails[p].Append(w.all[p][c.tails[p].End():]...)
			}
		}
	}
	for _, ch := range w.chs {
		p := wire.LogOf(ch, logs)
		add(p, frameOf(ch, wire.Seq(len(w.all[p])+1)))
	}
	add(wire.StateLog, tail.Record{Seq: wire.Seq(len(w.all[wire.StateLog]) + 1), Kind: tail.State, Bytes: []byte{1}})
}

// set changes how a core is doing; what it has missed it gets with what follows.
func (w *world) set(name string, lags, mute bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cores[name].lags, w.cores[name].mute = lags, mute
}

// pass lets time pass, while something is published again and again.
func (w *world) pass(d time.Duration) {
	step := max(d/20, 50*time.Millisecond)
	for range d / step {
		w.publish()
		time.Sleep(step)
	}
}

// where says which core each log is followed at; "" = nowhere.
func (w *world) where() map[wire.LogID]string {
	w.u.mu.Lock()
	defer w.u.mu.Unlock()
	out := map[wire.LogID]string{}
	for p, lg := range w.u.logs {
		out[p] = ""
		if lg.phase == open {
			out[p] = lg.at.n.name
		}
	}
	return out
}

// plan is where each log belongs when these cores serve.
func plan(names ...string) map[wire.LogID]string {
	var ids []topology.NodeID
	for _, n := range names {
		ids = append(ids, topology.NodeID(n))
	}
	out := map[wire.LogID]string{wire.StateLog: string(topology.Serving(topology.StateLog, ids)[0])}
	for p := range logs {
		out[wire.LogID(p)] = string(topology.Serving(p, ids)[0])
	}
	return out
}

// serves checks that the logs are where they belong when these cores serve.
func (w *world) serves(names ...string) {
	w.t.Helper()
	if diff := cmp.Diff(plan(names...), w.where()); diff != "" {
		w.t.Errorf("the logs are (-should +are):\n%s", diff)
	}
}

// complete checks that all that was published since the beginning of the epoch
// was received, once and in order.
func (w *world) complete() {
	w.t.Helper()
	time.Sleep(time.Second)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	for p := range wire.LogID(logs) {
		got := w.s.seqs[p]
		if len(got) == 0 || got[len(got)-1] != wire.Seq(len(w.all[p])) {
			w.t.Errorf("of log %d the last that came is %v of %d", p, got[max(0, len(got)-1):], len(w.all[p]))
			continue
		}
		for i := range got[1:] {
			if got[i+1] != got[i]+1 {
				w.t.Errorf("in log %d, %d came after %d", p, got[i+1], got[i])
			}
		}
		if end := wire.Seq(len(w.all[wire.StateLog])); w.s.pos[wire.StateLog] != end {
			w.t.Errorf("the state log stands at %d of %d", w.s.pos[wire.StateLog], end)
		}
	}
	for _, ch := range w.chs {
		if n := w.s.live[string(ch)]; n != 1 {
			w.t.Errorf("the interest in %s was answered %d times", ch, n)
		}
	}
}

// first is the core of names that serves a log.
func first(names []string, log int) string {
	var ids []topology.NodeID
	for _, n := range names {
		ids = append(ids, topology.NodeID(n))
	}
	return string(topology.Serving(log, ids)[0])
}

func without(names []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == name })
}
