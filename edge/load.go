package edge

import (
	"math"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// loadMemory is how long ago a second weighs a third of the last one in what is
	// told of CPU and backlog: a burst is no reason to send clients elsewhere.
	loadMemory = 10 * time.Second
	// fullBacklog is how late frames are written by an edge that could not be busier.
	fullBacklog = time.Second
	// busiest is the load of an edge that takes sockets, however busy it is. A load of
	// 1 says that it takes none: only then are clients sent over an ocean.
	busiest = 0.99

	// A load is told when it moved by loadStep, but not again within loadPause, unless
	// by loadJump: each time is a message to every node of the cluster.
	loadStep, loadJump = 0.02, 0.1
	loadPause          = 5 * time.Second
)

// Load is how busy an edge is, in parts from 0, idle, to 1.
type Load struct {
	Sockets float64 `json:"sockets"` // of the limit
	CPU     float64 `json:"cpu"`     // of the CPUs that the process may use
	Backlog float64 `json:"backlog"` // how late frames are written, of a second
}

// total is the worst of the parts, to a thousandth, 1 only for an edge that takes no
// more sockets.
func (l Load) total() float64 {
	if l.Sockets >= 1 {
		return 1
	}
	return math.Round(1000*min(busiest, max(l.Sockets, l.CPU, l.Backlog))) / 1000
}

// loadMeter watches an edge's load. Parts may be read at any time; look belongs to
// one goroutine. The zero value is an idle edge's.
type loadMeter struct {
	used func() time.Duration // CPU time since the start
	cpus func() float64

	parts atomic.Pointer[Load] // nil = not looked yet

	// owned by who looks
	last   time.Time // zero = never
	before time.Duration
}

// newLoadMeter measures by used, nil = the process's CPU time.
func newLoadMeter(used func() time.Duration) *loadMeter {
	if used == nil {
		used = processTime
	}
	return &loadMeter{used: used, cpus: availableCPUs}
}

// look takes in what there is now: of sockets the share, of the backlog the worst
// since the last look.
func (m *loadMeter) look(now time.Time, sockets float64, backlog time.Duration) {
	next := Load{Sockets: min(max(sockets, 0), 1)}
	used := m.used()
	if took := now.Sub(m.last); !m.last.IsZero() && took > 0 {
		old := m.load()
		// What the old value counts for after a pause, so that pauses may vary.
		keep := math.Exp(-took.Seconds() / loadMemory.Seconds())
		busy := 0.0
		if used > m.before { // else it does not matter of how many, which takes reading files
			busy = float64(used-m.before) / (float64(took) * m.cpus())
		}
		next.CPU = smooth(old.CPU, busy, keep)
		next.Backlog = smooth(old.Backlog, float64(backlog)/float64(fullBacklog), keep)
	}
	m.last, m.before = now, used
	m.parts.Store(&next)
}

func smooth(old, now, keep float64) float64 { return keep*old + (1-keep)*min(max(now, 0), 1) }

// load is what look saw last.
func (m *loadMeter) load() Load {
	if m == nil {
		return Load{}
	}
	if l := m.parts.Load(); l != nil {
		return *l
	}
	return Load{}
}

// worthTelling reports whether a load is to be told after another one was, some
// time ago. That an edge is full, or is no more, is told at once.
func worthTelling(load, told float64, ago time.Duration) bool {
	moved := math.Abs(load - told)
	return moved >= loadJump || moved >= loadStep && ago >= loadPause || (load >= 1) != (told >= 1)
}

// processTime is the CPU time that this process used, 0 if the system doesn't say.
func processTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measure looks at the load.
func (n *edgeNode) measure() {
	backlog := time.Duration(0)
	if w := n.world.Load(); w != nil {
		backlog = w.engine.Behind()
	}
	n.load.look(time.Now(), float64(n.sockets())/float64(n.limit), backlog)
}

// loadGauges register the load and its parts.
func (n *edgeNode) loadGauges(reg prometheus.Registerer) {
	reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "selvedge_edge_load", Help: "How busy the edge is: the worst of its parts, 1 = it takes no more sockets.",
	}, func() float64 { return n.load.load().total() }))
	for part, value := range map[string]func(Load) float64{
		"sockets": func(l Load) float64 { return l.Sockets },
		"cpu":     func(l Load) float64 { return l.CPU },
		"backlog": func(l Load) float64 { return l.Backlog },
	} {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "selvedge_edge_load_part", Help: "How busy the edge is with sockets, of their limit; with CPU, of what it may use; with its backlog: how late frames are written, of a second.",
			ConstLabels: prometheus.Labels{"part": part},
		}, func() float64 { return value(n.load.load()) }))
	}
}
