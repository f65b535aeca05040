package million

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"selvedge/internal/config"
	"selvedge/simulations/fleet/fleettest"
	"selvedge/simulations/report"
	"selvedge/simulations/report/reporttest"
	"selvedge/simulations/scenario"
)

const small = `
sockets: 300
edge_sockets: 150
process_sockets: 100
team: 7
ping: 1s
settle: 1s
idle: 2s
publishes: 3
team_publishes: 5
patience: 20s
`

// play runs the command in this process.
func play(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	status = fleettest.Run(t.Context(), new(binary), config.IO{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &err}, append([]string{"million"}, args...)...)
	return status, out.String(), err.String()
}

func TestAFewSocketsAreAccountedFor(t *testing.T) {
	dir := t.TempDir()
	status, stdout, stderr := play(t, "--out", dir, "--scenario", written(t, small))
	if status != config.StatusDone || strings.TrimSpace(stdout) != filepath.Join(dir, report.HTML) {
		t.Fatalf("status %d, %q: %s", status, stdout, stderr)
	}
	var r struct {
		Scenario string
		Host     Outcome `json:"host_time"`
	}
	reporttest.File(t, dir, &r)
	o := &r.Host
	if o.Sockets != 300 || o.Edges != 2 || o.LoadProcesses != 3 || o.Memberships != 600 || !strings.Contains(r.Scenario, "sockets: 300\n") {
		t.Errorf("%+v", o)
	}
	if o.Publish.Publishes != 3 || o.Publish.Members != 300 || o.Publish.Lost+o.Publish.Doubled+o.Teams.Lost+o.Teams.Doubled != 0 || o.Teams.Receipts < 5*6 {
		t.Errorf("%+v, %+v", o.Publish, o.Teams)
	}
	for name, v := range map[string]float64{
		"edge process": o.EdgeProcess, "load process": o.LoadProcess, "core process": o.CoreProcess,
		"edge CPU": o.EdgePerConnect, "core CPU": o.CorePerConnect, "client CPU": o.ClientPerConnect, "rate": o.ConnectRate, "welcomed": o.Welcomed,
		"idle": o.IdlePerSocket, "pings": o.Idle.Pings, "last": o.Publish.Last, "p50": o.Publish.P50, "team p99": o.Teams.P99, "least": o.Details.Least,
	} {
		if v <= 0 {
			t.Errorf("%s: %v", name, v)
		}
	}
	if o.Publish.Last < o.Publish.P50 || o.Publish.P99 < o.Publish.P50 || len(o.Publish.Lasts) != 3 || o.Teams.Max < o.Teams.P50 {
		t.Errorf("%+v, %+v", o.Publish, o.Teams)
	}
	in := 0
	for _, n := range o.Details.Arrived {
		in += n
	}
	if in != 300 {
		t.Errorf("%d welcomes in the time line", in)
	}
	if n := strings.Count(reporttest.Page(t, dir, "300 WebSockets on one machine"), "<svg "); n < 6 {
		t.Errorf("the page has %d pictures", n)
	}
}

func TestWhatCannotBeIsRefusedBeforeTheStart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	status, _, stderr := play(t, "--out", dir, "--scenario", written(t, small+"estimate: {kernel_bytes: 1000000000}\n"))
	if status != config.StatusFailed || !strings.Contains(stderr, "300 x 953 MiB") || !strings.Contains(stderr, "this machine can't") {
		t.Errorf("status %d: %s", status, stderr)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is a report: %v", err)
	}
	if status, stdout, stderr := play(t, "--check", "--scenario", written(t, small)); status != config.StatusDone || stdout != "300 sockets: this machine can\n" {
		t.Errorf("status %d: %q, %s", status, stdout, stderr)
	}
	for _, args := range [][]string{{"--sockets=-1"}, {"--scenario", written(t, "nothing: 1")}} {
		if status, _, stderr := play(t, args...); status != config.StatusUsage {
			t.Errorf("%v: status %d: %s", args, status, stderr)
		}
	}
}

// tiny is a rig with all sockets welcome, which ends with the test.
func tiny(t *testing.T) (*rig, context.Context, func() error) {
	t.Helper()
	s := Default()
	if err := scenario.Read([]byte(small), &s); err != nil {
		t.Fatal(err)
	}
	s.Sockets, s.EdgeSockets, s.Settle, s.Patience = 60, 30, 0, 2*time.Second
	r := &rig{scenario: &s, seed: 1, stderr: io.Discard, began: time.Now()}
	ctx, stop := context.WithCancelCause(t.Context())
	w := &watcher{}
	var watch sync.WaitGroup
	t.Cleanup(func() {
		stop(nil)
		watch.Wait()
		if err := r.end(nil); err != nil && !t.Failed() {
			t.Log(err) // a node was killed, perhaps
		}
	})
	if err := r.start(ctx); err != nil {
		t.Fatal(err)
	}
	watch.Go(func() { w.watch(ctx, r, stop) })
	if err := r.fill(ctx); err != nil {
		t.Fatal(err)
	}
	if err := r.arrive(ctx, w); err != nil {
		t.Fatal(err)
	}
	return r, ctx, func() error {
		select {
		case <-ctx.Done():
		case <-time.After(time.Minute):
		}
		return context.Cause(ctx)
	}
}

// A message that did not come, one that came unasked, and an edge that ended are
// all noticed.
func TestWhatGoesWrongIsNoticed(t *testing.T) {
	r, ctx, stopped := tiny(t)
	if err := r.faultless(ctx); err != nil {
		t.Fatal(err)
	}
	d, err := r.deliver(ctx, 0, teamRoom(0), func(first, count int) int {
		n := r.scenario.members(0, first, count)
		if first == 0 {
			n++ // nobody is this one
		}
		return n
	})
	if err != nil {
		t.Fatal(err)
	}
	if d.round.Complete || d.lost() == 0 || d.doubled() != 0 {
		t.Errorf("one was missing, and %d of %d are told of", d.round.Frames, d.wanted)
	}
	if err := r.faultless(ctx); !errors.Is(err, errFault) {
		t.Errorf("messages came that are not in the account, and it says %v", err)
	}
	r.fleet.Edges[1].Kill()
	if err := stopped(); err == nil || !strings.Contains(err.Error(), r.fleet.Edges[1].Name+" has ended") {
		t.Errorf("an edge was killed, and the run stops for %v", err)
	}
}
