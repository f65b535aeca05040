package fanout

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// row is one of a tier whose last receipts take this long.
func row(tier string, n int, mode string, p99 float64, bytes float64) Row {
	return Row{
		Tier: tier, N: n, Mode: mode, Publishes: 10, Receipts: int64(10 * n), Last: Times{10, p99 / 2, p99, p99, p99}, Receipt: Times{int64(10 * n), p99 / 4, p99, p99, p99},
		CentreCPU: 10 * float64(n), CentreByNode: []float64{10 * float64(n)}, CentreBytes: bytes, LoopbackBytes: bytes, RelaysCPU: 1, ClientsCPU: 1, RelaysBytes: 1,
	}
}

// made is a result as of a machine on which it takes so long.
func made() *Result {
	res := &Result{PayloadBytes: 1024, regions: 3}
	for _, n := range []int{100, 500, 1000, 5000} {
		res.Rows = append(
			res.Rows,
			row(tierRedis, n, "single", float64(n)/50, 1100*float64(n)), row(tierRedis, n, "10/s", float64(n)/10, 1100*float64(n)),
			row(tierDirect, n, "single", float64(n)/10, 1100*float64(n)), row(tierDirect, n, "10/s", float64(n), 1100*float64(n)),
			row(tierSockets, n, "single", 1, 3300), row(tierSockets, n, "10/s", 1, 3300),
		)
	}
	for _, n := range []int{100, 5000} {
		res.Rows = append(res.Rows, row(tierCluster, n, "single", 1, 1100*float64(n)))
		res.Rows[len(res.Rows)-1].CentreByNode = []float64{1, 2, 3, 4}
	}
	res.conclude()
	return res
}

func TestKnees(t *testing.T) {
	want := []Knee{
		{tierRedis, "single", 0},
		{tierRedis, "10/s", 5000},
		{tierDirect, "single", 5000},
		{tierDirect, "10/s", 500},
		{tierSockets, "single", 0},
		{tierSockets, "10/s", 0},
		{tierCluster, "single", 0},
		{tierCluster, "10/s", 0},
	}
	if diff := cmp.Diff(want, made().Knees); diff != "" {
		t.Error(diff)
	}
}

// The words follow from the figures.
func TestVerdict(t *testing.T) {
	res := made()
	for tier, want := range map[string]string{
		tierRedis:   "Redis pub/sub: single not saturated up to 5000; 10/s saturated from some number between 1000 and 5000 on. So 500 gateways are easy (single, 10/s); saturation at about 2,000 fits (10/s); it saturates beyond 2,000, if at all (single).",
		tierDirect:  "Core, direct links: single saturated from some number between 1000 and 5000 on; 10/s saturated from some number between 100 and 500 on. So 500 gateways are easy (single); 500 are too many (10/s); saturation at about 2,000 fits (single); it saturates before 2,000 (10/s).",
		tierSockets: "it saturates beyond 2,000, if at all (single, 10/s).",
	} {
		if got := res.judge(tier); !strings.Contains(got, want) {
			t.Errorf("%s: %s", tier, got)
		}
	}
	small := &Result{Rows: []Row{row(tierRedis, 10, "single", 300, 1), row(tierDirect, 10, "single", 1, 1)}}
	if got := small.judge(tierRedis); !strings.Contains(got, "saturated at 10 already. So 500 are too many (single); it saturates before 2,000") {
		t.Error(got)
	}
	if got := small.judge(tierDirect); !strings.Contains(got, "not saturated up to 10. So 2,000 were not tried (single).") {
		t.Error(got)
	}
}

func TestComputed(t *testing.T) {
	near := func(got, want float64) bool { return math.Abs(got/want-1) < 1e-9 }
	for _, c := range made().Computed {
		switch c.Tier {
		case tierRedis: // 5,000 packets with headers
			if each := 1100.0 + 90; !near(c.PerGateway, each) || !near(c.Rate1, 1e9/8/5000/each) || !near(c.Rate10, 10*c.Rate1) || !near(c.Gateways1, 1e9/8/100/each) {
				t.Errorf("%+v", c)
			}
		case tierSockets: // three packets, whatever N is
			if all := 3300.0 + 3*102; !near(c.Rate1, 1e9/8/all) || c.Gateways1 != 0 || c.Gateways10 != 0 {
				t.Errorf("%+v", c)
			}
		}
	}
	if _, ok := (&Result{}).compute(tierRedis); ok {
		t.Error("of nothing something is computed")
	}
}

// Whatever was lost, came twice or was not measured fails the command.
func TestOutcome(t *testing.T) {
	c := &Command{}
	if err := c.outcome(made()); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*Result){
		"100 gateways, single: 1 lost":          func(r *Result) { r.Rows[0].Lost = 1 },
		"100 gateways, single: -1 lost":         func(r *Result) { r.Rows[0].Lost = -1 },
		"500 gateways, single: 0 lost, 2 twice": func(r *Result) { r.Rows[6].Doubled = 2 },
		"redis: none":                           func(r *Result) { r.Unavailable = []string{"redis: none"} },
		"relays, 5000 gateways: no link":        func(r *Result) { r.Failed = []string{"relays, 5000 gateways: no link"} },
	} {
		res := made()
		change(res)
		if err := c.outcome(res); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	res := made()
	res.Unavailable = []string{"redis: none"}
	if err := c.outcome(res); !errors.Is(err, errIncomplete) {
		t.Error(err)
	}
	if err := (&Command{WithoutRedis: true}).outcome(res); err != nil {
		t.Errorf("though it was said: %v", err)
	}
}

// A report of any rows can be drawn, also of those whose CPU is lost in the noise of idle
// processes.
func TestReportsOfAnyRows(t *testing.T) {
	s := Default()
	s.Parts = []string{partTiers}
	for what, change := range map[string]func(*Row){
		"as they are":      func(*Row) {},
		"no CPU":           func(r *Row) { r.CentreCPU = 0 },
		"nothing came":     func(r *Row) { r.Last, r.Receipt, r.Receipts, r.Lost = Times{}, Times{}, 0, 1 },
		"nothing was sent": func(r *Row) { r.CentreBytes = 0 },
	} {
		res := made()
		for i := range res.Rows {
			change(&res.Rows[i])
		}
		if _, err := newReport(&s, res, time.Minute); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		one := &Result{PayloadBytes: 1024, Rows: res.Rows[:1], Unavailable: []string{"x: y"}}
		one.conclude()
		if _, err := newReport(&s, one, time.Minute); err != nil {
			t.Errorf("%s, one row: %v", what, err)
		}
	}
}
