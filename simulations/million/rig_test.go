package million

import (
	"testing"
	"time"

	"selvedge/simulations/load"
)

// What idleness costs is taken off by the pings that there were, not by the time: a
// machine that is busy is late with them.
func TestIdlenessIsTakenOff(t *testing.T) {
	idle := spent{took: 10 * time.Second, edges: 4 * time.Second, core: time.Second, clients: 2 * time.Second, pings: 1000}
	d := spent{took: 5 * time.Second, edges: 3 * time.Second, core: 600 * time.Millisecond, clients: 2 * time.Second, pings: 250}
	got, want := d.less(idle), spent{took: d.took, edges: 2 * time.Second, core: 100 * time.Millisecond, clients: 1500 * time.Millisecond, pings: 250}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	// Of few pings nothing follows: then it is the time.
	for _, pings := range []int64{0, 1, 999} {
		idle.pings = pings
		got, want := d.less(idle), spent{took: d.took, edges: time.Second, core: 100 * time.Millisecond, clients: time.Second, pings: 250}
		if got != want {
			t.Errorf("%d pings while it was idle: %+v, want %+v", pings, got, want)
		}
	}
	if got := d.less(spent{}); got != d {
		t.Errorf("nothing was measured of idleness: %+v", got)
	}
}

// Who takes how much is the growth from before to after, but for the processes, which
// are what they were before.
func TestTheMemoryIsDivided(t *testing.T) {
	r := &rig{out: Outcome{Sockets: 100, Edges: 2, LoadProcesses: 4, Memberships: 200}}
	both := func(n int64) load.Memory { return load.Memory{Resident: 10 * n, Anonymous: n} }
	r.out.Details.Memory = Footprints{
		Nothing: kernel{Available: 9000},
		Empty:   footprint{Core: both(50)},
		Before:  footprint{Kernel: kernel{Slab: 100, PageTables: 10, Vmalloc: 1}, Core: both(90), Edges: both(200), Clients: both(40)},
		After:   footprint{Kernel: kernel{Slab: 700, PageTables: 20, Vmalloc: 3, Available: 2000}, Core: both(100), Edges: both(500), Clients: both(100)},
	}
	r.account()
	o := r.out
	for name, tt := range map[string][2]float64{
		"kernel": {o.KernelPerSocket, 6.12}, "edge": {o.EdgePerSocket, 30}, "client": {o.ClientPerSocket, 6}, "user": {o.CorePerUser, 1},
		"membership": {o.CorePerMembership, 2}, "edge process": {o.EdgeProcess, 100}, "load process": {o.LoadProcess, 10}, "core": {o.CoreProcess, 50},
		"all": {o.MemoryTotal, 7000}, "in the core": {o.inCore(), 5},
	} {
		if tt[0] != tt[1] {
			t.Errorf("%s: %v, want %v", name, tt[0], tt[1])
		}
	}
}
