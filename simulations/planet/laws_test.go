package planet

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// law is what the tests' fan-outs obey.
var law = map[string]Tier{
	"redis":  {At: 1000, Idle: Law{Fixed: 3}, Thread: Law{Fixed: 12, Per: 6}, Last: Law{Fixed: 0.4, Per: 0.011}, Centre: Law{Fixed: 12, Per: 6}, Bytes: Law{Fixed: 20, Per: 1090}, Wire: Law{Fixed: 2000, Per: 1150}, Clients: Law{Per: 8}},
	"direct": {At: 1000, Idle: Law{Fixed: 5, Per: 0.1}, Last: Law{Fixed: 2, Per: 0.04}, Centre: Law{Fixed: 80, Per: 35}, Bytes: Law{Per: 1100}, Wire: Law{Fixed: 2500, Per: 1260}, Clients: Law{Per: 30}},
	"relays": {At: 1000, Idle: Law{Fixed: 20, Per: 0.1}, Last: Law{Fixed: 3, Per: 0.03}, Centre: Law{Fixed: 190}, Bytes: Law{Fixed: 3300}, Wire: Law{Fixed: 5000, Per: 1260}, Relays: Law{Fixed: 300, Per: 22}, Clients: Law{Per: 30}},
}

// lastOf is when the last of n gateways has a publish, by the law.
func lastOf(l *Tier, n int) float64 {
	ms, ok := l.last(n, 2)
	if !ok {
		return 1e5
	}
	return ms
}

// fanoutReport is a report of a fan-out by the law; odd changes rows before they are
// written.
func fanoutReport(t *testing.T, sizes []int, odd func(row map[string]any)) string {
	t.Helper()
	var rows, idle []map[string]any
	for _, tier := range []string{"redis", "direct", "relays"} {
		l := law[tier]
		for _, n := range sizes {
			idle = append(idle, map[string]any{"tier": tier, "n": n, "centre_cpu_ms_per_s": l.Idle.at(n), "relays_cpu_ms_per_s": 0, "clients_cpu_ms_per_s": 0})
			for _, mode := range []string{single, "10/s"} {
				row := map[string]any{
					"tier": tier, "n": n, "mode": mode, "rate": 0.0, "publishes": 20, "receipts": 20 * n, "lost": 0, "doubled": 0, "cut_short": false,
					"last_ms": map[string]any{"n": 20, "p50": lastOf(&l, n), "p99": 9 * l.Last.at(n)}, "centre_cpu_us_by_node": []float64{l.Centre.at(n)},
					"centre_cpu_us_per_publish": l.Centre.at(n), "relays_cpu_us_per_publish": l.Relays.at(n), "clients_cpu_us_per_receipt": l.Clients.Per,
					"centre_bytes_per_publish": l.Bytes.at(n), "loopback_bytes_per_publish": l.Wire.at(n), "relays_bytes_per_publish": 0,
				}
				if mode != single {
					row["rate"], row["last_ms"] = 10.0, map[string]any{"p50": 1e5}
				}
				if odd != nil {
					odd(row)
				}
				rows = append(rows, row)
			}
		}
	}
	return reportFile(t, fanoutName, map[string]any{"payload_bytes": 1024, "rows": rows, "idle": idle})
}

// crowd is what the tests' sockets obey.
var crowd = Crowd{Memory: 12_000, IdleEdge: 5_000, IdlePing: 100, Connect: 200, Room: 1500, Deliver: 16, Frame: 1000, Used: 0.9}

// millionReport is a report of so many sockets by that law.
func millionReport(t *testing.T, sockets int, odd func(row map[string]any)) string {
	t.Helper()
	processes := (sockets + 18_999) / 19_000
	r := crowdRow{Sockets: sockets, Edges: processes, CPUs: 2, Team: 100, Ping: 25}
	if sockets > 200_000 {
		r.Ping = 300 // or two CPUs do nothing else
	}
	welcomed := crowd.welcomed(&r)
	row := map[string]any{
		"sockets": sockets, "edges": processes, "load_processes": processes, "cores": 1, "cpus": r.CPUs, "team": r.Team, "ping_s": r.Ping,
		"kernel_bytes_per_socket": 9600.0, "edge_process_bytes": 45e6, "load_process_bytes": 20e6, "core_process_bytes": 90e6,
		"memory_total_bytes": 90e6 + 65e6*float64(processes) + crowd.Memory*float64(sockets), "welcomed_s": welcomed, "idle_cpu_us_per_socket_s": 0.9,
		"edge_cpu_us_per_connect": crowd.Used * 2e6 * welcomed / float64(sockets), "core_cpu_us_per_connect": 0, "client_cpu_us_per_connect": 0,
		"idle":    map[string]any{"machine_percent": crowd.idle(&r) / 2e4},
		"publish": map[string]any{"lost": 0, "doubled": 0, "last_ms": crowd.last(&r)},
	}
	if odd != nil {
		odd(row)
	}
	return reportFile(t, millionName, row)
}

func reportFile(t *testing.T, name string, host any) string {
	t.Helper()
	text, err := json.Marshal(map[string]any{
		"name": name, "command": "selvedge simulate " + name, "seed": 7, "made": time.Date(2026, 11, 22, 21, 0, 0, 0, time.UTC),
		"build": map[string]any{"Commit": "abc"}, "machine": map[string]any{"system": "linux/amd64", "cpus": 2}, "host_time": host,
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "report.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func calibrated(t *testing.T, files ...string) Costs {
	t.Helper()
	c, err := Frozen()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.calibrate(files); err != nil {
		t.Fatal(err)
	}
	return c
}

var (
	small = []int{10, 100, 500, 1000}
	full  = []int{10, 100, 500, 1000, 5000}
)

func TestCalibrationFindsTheLaws(t *testing.T) {
	c := calibrated(t, fanoutReport(t, small, nil), millionReport(t, 10_000, nil), millionReport(t, 40_000, nil), millionReport(t, 100_000, nil))
	for name, want := range law {
		got := c.Tiers[name]
		for what, l := range map[string][2]Law{"last": {got.Last, want.Last}, "centre": {got.Centre, want.Centre}, "bytes": {got.Bytes, want.Bytes}, "wire": {got.Wire, want.Wire}, "relays": {got.Relays, want.Relays}, "clients": {got.Clients, want.Clients}, "idle": {got.Idle, want.Idle}, "thread": {got.Thread, want.Thread}} {
			if !near(l[0].at(10), l[1].at(10), 1e-6) || !near(l[0].at(5000), l[1].at(5000), 1e-6) {
				t.Errorf("%s, %s: %+v, and the rows are of %+v", name, what, l[0], l[1])
			}
		}
	}
	if c.Crowd == nil {
		t.Fatal("no law of many sockets")
	}
	want := crowd.figures()
	for what, v := range c.Crowd.figures() {
		if !near(v, want[what], 1e-6) {
			t.Errorf("many sockets: %s is %v, and the runs are of %v", what, v, want[what])
		}
	}
	for what, v := range map[string][2]float64{
		"core_link": {c.Each.CoreLink.Value, 35}, "redis_gateway": {c.Each.RedisGateway.Value, 6}, "relay_frame": {c.Each.RelayFrame.Value, 22},
		"link_overhead": {c.Each.LinkBytes.Value, 1260 - 1024}, "kernel": {c.Each.KernelEnd.Value, 4800}, "idle": {c.Each.EdgeIdle.Value, 0.9}, "process": {c.Each.EdgeProcess.Value, 45e6},
	} {
		if !near(v[0], v[1], 1e-6) {
			t.Errorf("%s: %v, and should be %v", what, v[0], v[1])
		}
	}
	for _, source := range []string{c.Each.CoreLink.Source, c.Each.KernelEnd.Source} {
		if !strings.Contains(source, "commit abc, 2026-11-22") || !strings.Contains(source, "seed 7") {
			t.Errorf("a fitted cost is from %q", source)
		}
	}
	if c.Each.EdgeQuery.Value != 4 || strings.Contains(c.Each.EdgeQuery.Source, "fitted") {
		t.Errorf("a cost that nobody measured anew has changed: %+v", c.Each.EdgeQuery)
	}
	// What is written is what is read, and can be fitted again.
	again, err := readCosts([]byte(c.String()))
	if diff := cmp.Diff(c, again); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
}

// Nothing of a row that is to be predicted may get into the costs, whatever stands
// there.
func TestCalibrationLooksAtNothingLarge(t *testing.T) {
	clean := calibrated(t, fanoutReport(t, small, nil))
	for name, odd := range map[string]func(row map[string]any){
		"as they are": nil,
		"a hundredth": func(row map[string]any) {
			row["centre_cpu_us_per_publish"], row["last_ms"] = 1, map[string]any{"p50": 0.01}
		},
		"no numbers":   func(row map[string]any) { row["centre_cpu_us_per_publish"], row["last_ms"] = "many", true },
		"all are lost": func(row map[string]any) { row["lost"] = 5000 },
		"unknown tier": func(row map[string]any) { row["tier"] = "pigeons" },
	} {
		dirty := calibrated(t, fanoutReport(t, full, func(row map[string]any) {
			if n, ok := row["n"].(int); ok && n > maxGateways && odd != nil {
				odd(row)
			}
		}))
		if diff := cmp.Diff(clean, dirty); diff != "" {
			t.Errorf("%s: rows of 5,000 gateways change the costs:\n%s", name, diff)
		}
	}
	c := clean
	for _, n := range []int{maxSockets + 1, 1_000_000} {
		err := c.calibrate([]string{millionReport(t, n, func(row map[string]any) { row["welcomed_s"] = "soon" })})
		if !errors.Is(err, errTooLarge) {
			t.Errorf("a run of %d sockets: %v", n, err)
		}
	}
	if err := c.calibrate([]string{millionReport(t, maxSockets, nil)}); err != nil {
		t.Errorf("a run of %d sockets is refused: %v", maxSockets, err)
	}
	// With 1,001 it is left out, and 1,000 alone aren't two sizes.
	if err := c.calibrate([]string{fanoutReport(t, []int{1000, 1001}, nil)}); err == nil || !strings.Contains(err.Error(), "two sizes") {
		t.Errorf("a run of 1,000 and 1,001 gateways: %v", err)
	}
}

func TestBrokenRunsAreRefused(t *testing.T) {
	for name, file := range map[string]string{
		"lost":    fanoutReport(t, small, func(row map[string]any) { row["lost"] = 1 }),
		"doubled": fanoutReport(t, small, func(row map[string]any) { row["doubled"] = 1 }),
		"one lost of many": millionReport(t, 1000, func(row map[string]any) {
			row["publish"] = map[string]any{"lost": 1}
		}),
		"no time":     millionReport(t, 1000, func(row map[string]any) { row["welcomed_s"] = 0 }),
		"no gateways": fanoutReport(t, small, func(row map[string]any) { row["n"] = 0 }),
		"negative":    fanoutReport(t, small, func(row map[string]any) { row["centre_cpu_us_per_publish"] = -1 }),
		"other":       reportFile(t, "geo", nil),
		"no file":     filepath.Join(t.TempDir(), "none"),
	} {
		c, err := Frozen()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.calibrate([]string{file}); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// What obeys the law is predicted; what is off by more than a quarter fails, and by less
// doesn't.
func TestAPredictionIsJudged(t *testing.T) {
	c := calibrated(t, fanoutReport(t, full, nil), millionReport(t, 50_000, nil), millionReport(t, 100_000, nil))
	times := func(what string, by float64) func(map[string]any) {
		return func(row map[string]any) {
			if row["mode"] != single {
				return
			}
			if last, ok := row["last_ms"].(map[string]any); ok && what == "last" {
				row["last_ms"] = map[string]any{"p50": last["p50"].(float64) * by}
			} else if v, ok := row[what].(float64); ok {
				row[what] = v * by
			}
		}
	}
	for name, k := range map[string]struct {
		file string
		off  bool
	}{
		"as predicted":          {fanoutReport(t, full, nil), false},
		"a fifth slower":        {fanoutReport(t, full, times("last", 1.2)), false},
		"a third slower":        {fanoutReport(t, full, times("last", 1.4)), true},
		"a third faster":        {fanoutReport(t, full, times("last", 0.7)), true},
		"more CPU":              {fanoutReport(t, full, times("centre_cpu_us_per_publish", 1.5)), true},
		"more bytes":            {fanoutReport(t, full, times("centre_bytes_per_publish", 2)), false},
		"a million":             {millionReport(t, 1_000_000, nil), false},
		"a million, more slow":  {millionReport(t, 1_000_000, func(row map[string]any) { row["welcomed_s"] = row["welcomed_s"].(float64) * 1.4 }), true},
		"a million, more bytes": {millionReport(t, 1_000_000, func(row map[string]any) { row["memory_total_bytes"] = 25e9 }), true},
		"a million, late": {millionReport(t, 1_000_000, func(row map[string]any) {
			row["publish"] = map[string]any{"last_ms": 90_000.0}
		}), true},
	} {
		all, err := c.predict([]string{k.file})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var out strings.Builder
		if err := show(&out, all); errors.Is(err, errOff) != k.off || err != nil && !k.off {
			t.Errorf("%s: %v\n%s", name, err, out.String())
		}
		if strings.Contains(out.String(), "OFF") != k.off {
			t.Errorf("%s: the table hides it:\n%s", name, out.String())
		}
	}
}

// Where idle links are predicted to fill the machine, no time is: the check says what they
// take, and judges nothing of that size.
func TestAFullMachineIsNotPredicted(t *testing.T) {
	links := law["direct"]
	links.Idle.Per = 0.5 // 5,000 of them: 2.5 of two CPUs
	law := map[string]Tier{"direct": links}
	c := Costs{Tiers: law}
	all, err := c.predict([]string{fanoutReport(t, []int{5000}, func(row map[string]any) { row["tier"] = "direct" })})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		if v.Judged || strings.Contains(v.What, "single: last receipt") {
			t.Errorf("%+v", v)
		}
	}
	if ms, ok := links.last(1000, 2); !ok || !near(ms, links.Last.at(1000), 1e-9) {
		t.Errorf("%v, %v: what was measured is not doubted", ms, ok)
	}
	less := links
	less.Idle.Per = 0.1 // a quarter of the machine, at 5,000
	if ms, ok := less.last(5000, 2); !ok || !near(ms, links.Last.at(1000)+4000*(35+30)/2e3/0.7475, 1e-3) {
		t.Errorf("%v, %v", ms, ok)
	}
}

// What can't be checked is no success.
func TestNothingToCheckIsAFailure(t *testing.T) {
	fitted := calibrated(t, fanoutReport(t, small, nil), millionReport(t, 1000, nil))
	bare, err := Frozen()
	if err != nil {
		t.Fatal(err)
	}
	bare.Tiers, bare.Crowd = nil, nil
	for name, k := range map[string]struct {
		costs Costs
		file  string
	}{
		"no large rows":     {fitted, fanoutReport(t, small, nil)},
		"few sockets":       {fitted, millionReport(t, 100_000, nil)},
		"no laws":           {bare, fanoutReport(t, full, nil)},
		"no law of sockets": {bare, millionReport(t, 1_000_000, nil)},
		"no time":           {fitted, millionReport(t, 1_000_000, func(row map[string]any) { row["welcomed_s"] = 0 })},
		"lost":              {fitted, fanoutReport(t, full, func(row map[string]any) { row["lost"] = 1 })},
	} {
		if all, err := k.costs.predict([]string{k.file}); err == nil {
			t.Errorf("%s: %+v", name, all)
		}
	}
	without := fitted
	without.Tiers = maps.Clone(fitted.Tiers)
	delete(without.Tiers, "direct")
	if _, err := without.predict([]string{fanoutReport(t, full, nil)}); err == nil || !strings.Contains(err.Error(), "direct") {
		t.Errorf("a tier that has no law: %v", err)
	}
}

func TestWrongCostsAreRefused(t *testing.T) {
	good := string(frozen)
	for name, k := range map[string][2]string{
		"another unit": {"unit: us per publish", "unit: ms per publish"},
		"negative":     {"value: 46.0\n", "value: -46.0\n"},
		"no number":    {"value: 46.0\n", "value: .nan\n"},
		"endless":      {"value: 46.0\n", "value: .inf\n"},
		"unknown":      {"  core_link_cpu:", "  core_lnk_cpu:"},
		"no source":    {"source: \"docs/performance.md, An edge beside", "other: \"docs/performance.md, An edge beside"},
	} {
		text := strings.Replace(good, k[0], k[1], 1)
		if text == good {
			t.Fatalf("%s: %q isn't there", name, k[0])
		}
		if _, err := readCosts([]byte(text)); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if _, err := Frozen(); err != nil {
		t.Error(err)
	}
}

func FuzzRun(f *testing.F) {
	f.Add([]byte(`{"rows":[{"tier":"redis","n":10,"mode":"single","last_ms":{"p50":1}}],"payload_bytes":1024}`), 1000)
	f.Add([]byte(`{"sockets":1000,"welcomed_s":1,"publish":{"last_ms":1}}`), 100)
	f.Fuzz(func(t *testing.T, host []byte, most int) {
		small := func(n int) bool { return n <= most }
		r := &run{Host: host}
		if rows, _, err := r.fanout(small); err == nil {
			for _, row := range rows {
				if row.N > most {
					t.Errorf("a row of %d was read, and at most %d were wanted", row.N, most)
				}
			}
			if len(rows) > 0 {
				if tier, err := fitTier(rows); err == nil && (!finite(tier.Last.Fixed) || !finite(tier.Last.Per)) {
					t.Errorf("%+v", tier)
				}
			}
		}
		if row, err := r.million(small); err == nil && row.Sockets > most {
			t.Errorf("%d sockets were read, and at most %d were wanted", row.Sockets, most)
		}
	})
}
