package geo

import (
	"slices"
	"strings"
	"testing"
	"time"

	"selvedge/simulations/netsim"
	"selvedge/simulations/report/reporttest"
	"selvedge/simulations/world"
)

// A router's plan has every host of the world, and between any two the way that the simulated network
// has; only who never speak to each other share a namespace.
func TestTheRouterHasTheSameWays(t *testing.T) {
	s := small()
	a, err := newAtlas(&s)
	if err != nil {
		t.Fatal(err)
	}
	p := newPlan(nearest, &s, a, 7, 1)
	spots := p.layOut()
	plan, homes := routing(p, spots)
	if plan.Seed != 7 || plan.Spaces != 5 || len(homes) != 5 || len(plan.Hosts) != len(spots) {
		t.Fatalf("seed %d, %d namespaces, %d of %d hosts", plan.Seed, plan.Spaces, len(plan.Hosts), len(spots))
	}
	if !slices.Equal(homes[0], []netsim.Host{world.CoreHost}) || !slices.Equal(homes[3], []netsim.Host{world.EdgeHost(2)}) || len(homes[4]) != len(spots)-4 {
		t.Errorf("%v", homes)
	}
	path := p.path(spots)
	for _, from := range plan.Hosts {
		if !slices.Contains(homes[from.Space], from.Host) {
			t.Errorf("%v is not in its namespace", from.Host)
		}
		for _, to := range plan.Hosts {
			if got, want := plan.Paths[from.Spot][to.Spot], path(from.Host, to.Host); from != to && got != want {
				t.Errorf("from %v to %v: %v, and the network has %v", from.Host, to.Host, got, want)
			}
		}
	}
}

// pretend is an outcome of two regions whose messages took so long.
func pretend(p *plan, ms ...int) *Outcome {
	o := &Outcome{World: nearest, Published: 1, Deliveries: 2, plan: p}
	for i := 0; i < len(ms); i += 2 {
		o.stamped = append(o.stamped, stamped{
			[]time.Duration{time.Duration(ms[i]) * time.Millisecond}, []time.Duration{time.Duration(ms[i+1]) * time.Millisecond},
		})
		o.Regions = append(o.Regions, Region{})
	}
	return o
}

func TestTheWorldsMustAgree(t *testing.T) {
	s := small()
	s.Regions, s.Trouble.Reroute = s.Regions[:2], s.Regions[1:2]
	a, err := newAtlas(&s)
	if err != nil {
		t.Fatal(err)
	}
	p := newPlan(nearest, &s, a, 1, 1)
	lost := pretend(p, 1, 10, 50, 60)
	lost.Missing = 3
	none := pretend(p, 1, 10, 50, 60)
	none.stamped[1].client = nil
	more := pretend(p, 1, 10, 50, 60)
	more.Published = 2
	for name, c := range map[string]struct {
		real *Outcome
		want string // "" = they agree
	}{
		"alike":       {pretend(p, 1, 10, 50, 60), ""},
		"2 ms longer": {pretend(p, 3, 12, 52, 62), ""},
		"longer":      {pretend(p, 1, 10, 50, 63), "1 of 4 medians differ by more than 2ms; most, from the core to clients in Germany West Central: 60.0 ms in virtual time and 63.0 ms"},
		"shorter":     {pretend(p, 1, 10, 45, 56), "2 of 4 medians differ by more than 2ms; most, from the core to the edge in Germany West Central"},
		"lost":        {lost, "real processes: messages were not delivered as promised: [3 deliveries never came]"},
		"more":        {more, "1 messages were published in virtual time, and 2 by real processes"},
		"nothing":     {none, "Germany West Central: nothing came to clients"},
	} {
		both := &crossing{plan: p, virtual: pretend(p, 1, 10, 50, 60), real: c.real, effort: Effort{Busy: 0.9}}
		err := both.check()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
		r, err := both.report()
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := r.Save(dir); err != nil {
			t.Fatal(err)
		}
		if agrees := strings.Contains(reporttest.Page(t, dir), "The two agree."); agrees != (c.want == "") {
			t.Errorf("%s: the page says that they agree: %v", name, agrees)
		}
	}
}

// Half of the clients are near: one late message of theirs must not make the median theirs who are far.
func TestTheMiddleDoesNotJump(t *testing.T) {
	times := slices.Concat(slices.Repeat([]time.Duration{5 * time.Millisecond}, 50), slices.Repeat([]time.Duration{9 * time.Millisecond}, 50))
	before := middle(times)
	times[49] = 9 * time.Millisecond
	if after := middle(times); before != 7 || after-before > 0.5 {
		t.Errorf("%v ms, and %v", before, after)
	}
	if got := middle([]time.Duration{time.Second}); got != 1000 {
		t.Errorf("of one: %v", got)
	}
	if got := middle(nil); got != 0 {
		t.Errorf("of none: %v", got)
	}
}

func TestCPUsAreCounted(t *testing.T) {
	before := spending{core: time.Second, edges: 2 * time.Second, busy: 100, idle: 900}
	after := spending{core: 2 * time.Second, edges: 7 * time.Second, router: time.Second, busy: 400, idle: 1600}
	if got, want := after.minus(before, 10*time.Second), (Effort{Busy: 0.3, Core: 0.1, Edges: 0.5, Router: 0.1}); got != want {
		t.Errorf("%+v", got)
	}
}

func TestRealIsBounded(t *testing.T) {
	few, many, often := Default(), Default(), Default()
	many.ClientsPerRegion = 500
	often.ClientsPerRegion, often.PublishesPerMinute = 100, 600
	for want, c := range map[string]struct {
		real time.Duration
		s    *Scenario
	}{
		"--real -1s":                            {-time.Second, &few},
		"--real 2h0m0":                          {2 * time.Hour, &few},
		"--real with 12 edges and 6000 clients": {time.Minute, &many},
		"million deliveries":                    {time.Hour, &often},
	} {
		if err := (&Command{Real: c.real}).checkReal(c.s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if err := (&Command{Real: time.Hour}).checkReal(&few); err != nil {
		t.Error(err)
	}
}
