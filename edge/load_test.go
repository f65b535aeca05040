package edge

import (
	"math"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"selvedge/topology"
)

// near reports whether two shares are the same for people.
func near(a, b float64) bool { return math.Abs(a-b) < 0.005 }

// The load is the worst of its parts; only sockets make an edge full.
func TestLoadIsTheWorstOfItsParts(t *testing.T) {
	for want, l := range map[float64]Load{
		0:    {},
		0.5:  {Sockets: 0.5, CPU: 0.2, Backlog: 0.1},
		0.6:  {Sockets: 0.5, CPU: 0.6, Backlog: 0.1},
		0.7:  {Sockets: 0.5, CPU: 0.6, Backlog: 0.7},
		0.99: {Sockets: 0.5, CPU: 1, Backlog: 1},
		1:    {Sockets: 1},
	} {
		if got := l.total(); got != want {
			t.Errorf("%+v is a load of %v, want %v", l, got, want)
		}
	}
}

// CPU and backlog are told over some ten seconds, sockets as they are.
func TestLoadOverTime(t *testing.T) {
	var used time.Duration
	m := newLoadMeter(func() time.Duration { return used })
	m.cpus = func() float64 { return 2 }
	now := time.Unix(0, 0)
	look := func(seconds int, busy, late time.Duration, sockets float64) Load {
		for range seconds {
			now, used = now.Add(time.Second), used+busy
			m.look(now, sockets, late)
		}
		return m.load()
	}
	for _, step := range []struct {
		what       string
		seconds    int
		busy, late time.Duration // of each second
		sockets    float64
		want       Load
	}{
		{"the first look knows no rates", 1, time.Second, time.Second, 0.25, Load{Sockets: 0.25}},
		{"a busy second", 1, 2 * time.Second, 0, 0.25, Load{Sockets: 0.25, CPU: 0.095}},
		{"ten idle ones", 10, 0, 0, 1, Load{Sockets: 1, CPU: 0.035}},
		{"ten at half the CPUs", 10, time.Second, 0, 0, Load{CPU: 0.329}},
		{"a minute of it", 60, time.Second, 0, 0, Load{CPU: 0.5}},
		{"frames are late by half a second", 60, time.Second, time.Second / 2, 0, Load{CPU: 0.5, Backlog: 0.5}},
		{"by a minute, once", 1, time.Second, time.Minute, 0, Load{CPU: 0.5, Backlog: 0.547}},
		{"more sockets than there may be", 1, time.Second, 0, 1.5, Load{Sockets: 1, CPU: 0.5, Backlog: 0.495}},
	} {
		got := look(step.seconds, step.busy, step.late, step.sockets)
		if !near(got.Sockets, step.want.Sockets) || !near(got.CPU, step.want.CPU) || !near(got.Backlog, step.want.Backlog) {
			t.Errorf("%s: %+v, want %+v", step.what, got, step.want)
		}
	}
}

// A load that trembles is told every 5 s at most; what matters is told at once.
func TestWhenALoadIsTold(t *testing.T) {
	for _, test := range []struct {
		load, told float64
		ago        time.Duration
		want       bool
	}{
		{0.51, 0.5, time.Hour, false},
		{0.53, 0.5, time.Second, false},
		{0.53, 0.5, 5 * time.Second, true},
		{0.47, 0.5, 5 * time.Second, true},
		{0.61, 0.5, 0, true},
		{0.39, 0.5, 0, true},
		{1, 0.99, 0, true},
		{0.99, 1, 0, true},
		{1, 1, time.Hour, false},
	} {
		if got := worthTelling(test.load, test.told, test.ago); got != test.want {
			t.Errorf("%v after %v, %v ago: %v, want %v", test.load, test.told, test.ago, got, test.want)
		}
	}
	told, messages := 0.0, 0
	last := time.Duration(0)
	for at := range time.Minute / time.Second {
		load := 0.5 + 0.04*float64(at%2)
		if worthTelling(load, told, at*time.Second-last) {
			told, last = load, at*time.Second
			messages++
		}
	}
	if messages > 12 {
		t.Errorf("a load that trembles for a minute is told %d times", messages)
	}
}

func TestWhatTheControlGroupAllows(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	for name, test := range map[string]struct {
		files fstest.MapFS
		want  float64 // 0 = nothing is said
	}{
		"none": {fstest.MapFS{}, 0},
		"no quota": {fstest.MapFS{
			"proc/self/cgroup":       file("0::/\n"),
			"sys/fs/cgroup/cpu.max":  file("max 100000\n"),
			"sys/fs/cgroup/cpu.stat": file(""),
		}, 0},
		"a container": {fstest.MapFS{
			"proc/self/cgroup":      file("0::/\n"),
			"sys/fs/cgroup/cpu.max": file("150000 100000\n"),
		}, 1.5},
		"the group above has less": {fstest.MapFS{
			"proc/self/cgroup":                       file("0::/kube/pod/edge\n"),
			"sys/fs/cgroup/kube/pod/edge/cpu.max":    file("400000 100000\n"),
			"sys/fs/cgroup/kube/pod/cpu.max":         file("max 100000\n"),
			"sys/fs/cgroup/kube/cpu.max":             file("50000 100000\n"),
			"sys/fs/cgroup/kube/another/pod/cpu.max": file("1000 100000\n"),
		}, 0.5},
		"version 1": {fstest.MapFS{
			"proc/self/cgroup": file("5:memory:/docker/x\n3:cpuacct,cpu:/docker/x\n"),
			"sys/fs/cgroup/cpu/docker/x/cpu.cfs_quota_us":  file("200000\n"),
			"sys/fs/cgroup/cpu/docker/x/cpu.cfs_period_us": file("100000\n"),
			"sys/fs/cgroup/cpu/cpu.cfs_quota_us":           file("-1\n"),
			"sys/fs/cgroup/cpu/cpu.cfs_period_us":          file("100000\n"),
		}, 2},
		"version 1 in a container": {fstest.MapFS{
			"proc/self/cgroup":                    file("3:cpu:/docker/x\n"),
			"sys/fs/cgroup/cpu/cpu.cfs_quota_us":  file("75000\n"),
			"sys/fs/cgroup/cpu/cpu.cfs_period_us": file("100000\n"),
		}, 0.75},
		"nonsense": {fstest.MapFS{
			"proc/self/cgroup":      file("0\n::\n0::/../../etc\n"),
			"sys/fs/cgroup/cpu.max": file("1 0\n"),
		}, 0},
	} {
		if got, ok := cgroupQuota(test.files); got != test.want && ok || ok != (test.want > 0) {
			t.Errorf("%s: %v, %v; want %v", name, got, ok, test.want)
		}
	}
	if n := availableCPUs(); n <= 0 || n > 4096 {
		t.Errorf("this process may use %v CPUs", n)
	}
}

// One number everywhere: gossip, metrics and /varz.
func TestTheLoadIsTold(t *testing.T) {
	n := newNode(t)
	reg := prometheus.NewRegistry()
	n.loadGauges(reg)
	var used time.Duration
	n.load = newLoadMeter(func() time.Duration { return used })
	n.load.cpus = func() float64 { return 1 }
	n.load.look(time.Now().Add(-time.Minute), 0, 0)
	used = 45 * time.Second // of a minute
	n.measure()
	n.tell()
	const want = 0.75
	told := 0.0
	await(patience, func() bool {
		self, _ := n.gossip.Snapshot().Node(topology.NodeID(n.cfg.Name))
		told = self.Load
		return near(told, want)
	})
	if !near(told, want) {
		t.Errorf("gossip has a load of %v, want %v", told, want)
	}
	if s := n.status(); !near(s.Load, want) || !near(s.LoadParts.CPU, want) || s.LoadParts.Sockets != 0 {
		t.Errorf("/varz has a load of %v, %+v, want %v of CPU", s.Load, s.LoadParts, want)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range families {
		for _, m := range f.GetMetric() {
			v := m.GetGauge().GetValue()
			label := ""
			for _, l := range m.GetLabel() {
				label = l.GetName() + "=" + l.GetValue()
			}
			names = append(names, f.GetName()+" "+label)
			if loaded := label == "" || label == "part=cpu"; near(v, want) != loaded {
				t.Errorf("%s %s is %v", f.GetName(), label, v)
			}
		}
	}
	if got := strings.Join(names, ","); got != "selvedge_edge_load ,selvedge_edge_load_part part=backlog,selvedge_edge_load_part part=cpu,selvedge_edge_load_part part=sockets" {
		t.Errorf("the metrics are %s", got)
	}
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("the metrics: %v %v", problems, err)
	}
}
