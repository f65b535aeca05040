package fanout

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"selvedge/internal/config"
	"selvedge/simulations/fleet/fleettest"
	"selvedge/simulations/report/reporttest"
)

// run runs the command, and returns its status and what it said.
func run(ctx context.Context, args ...string) (status int, stderr string) {
	var said bytes.Buffer
	status = fleettest.Run(ctx, new(commands), config.IO{Stdin: strings.NewReader(""), Stdout: &bytes.Buffer{}, Stderr: &said}, append([]string{"simulate", "fanout"}, args...)...)
	return status, said.String()
}

// A small scenario, that takes seconds.
const small = `{"gateways": [3, 16], "singles": 3, "rates": [20], "seconds": 0.3, "idle": 0.1, "processes": 2, "regions": ["us-east", "eu-west"], "edges_per_region": 2}`

func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// All tiers, small, and what each must show. Where CI is set there must be a Redis.
func TestTiers(t *testing.T) {
	tiers := allTiers
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") != "" {
			t.Error("CI is set, and ", errNoRedis)
		}
		tiers = []string{tierDirect, tierRelays, tierSockets}
	}
	dir := t.TempDir()
	if status, said := run(t.Context(), "--out", dir, "--scenario", write(t, "small.json", small), "--tiers", strings.Join(tiers, ",")); status != config.StatusDone {
		t.Fatalf("status %d: %s", status, said)
	}
	var file struct {
		Host Result `json:"host_time"`
	}
	reporttest.File(t, dir, &file)
	res := &file.Host
	if !slices.Equal(res.tiers(), tiers) || len(res.Rows) != 4*len(tiers) || len(res.Idle) != 2*len(tiers) {
		t.Fatalf("%v, %d rows", res.tiers(), len(res.Rows))
	}
	for _, row := range res.Rows {
		publishes := map[string]int{"single": 3, "20/s": 6}[row.Mode]
		if row.Publishes != publishes || row.Receipts != int64(publishes*row.N) || row.Last.N != int64(publishes) || row.Receipt.N != row.Receipts {
			t.Errorf("counts: %+v", row)
		}
		if row.Last.P50 <= 0 || row.Last.Max < row.Last.P50 || row.Receipt.P50 > row.Last.Max || row.Receipt.Max != row.Last.Max {
			t.Errorf("times: %+v", row)
		}
		// What leaves the centre is at least a payload for each gateway, or for each
		// region; and not much more.
		copies := float64(row.N)
		if row.Tier == tierRelays || row.Tier == tierSockets {
			copies = 2
		}
		if least := copies * 1024; row.CentreBytes < least || row.CentreBytes > 1.5*least+40_000 {
			t.Errorf("%s, %d gateways: %.0f bytes out of the centre, for %v copies", row.Tier, row.N, row.CentreBytes, copies)
		}
		if row.LoopbackBytes < float64(row.N)*1024 || row.Tier == tierRelays && row.RelaysBytes < float64(row.N)*1024 {
			t.Errorf("%s, %d gateways: %.0f bytes over loopback, %.0f from relays", row.Tier, row.N, row.LoopbackBytes, row.RelaysBytes)
		}
	}
	page := reporttest.Page(t, dir, "The hypothesis", "Core, direct links: single ", "Computed: where a network is full", "Host time", "gateways:\n- 3", "The last receipt, single publishes")
	if strings.Contains(page, "Network time") {
		t.Error("the page tells of a network that there was not")
	}
}

// A gateway that overlooks a message is noticed, in each way that messages come.
func TestWhatIsLostIsTold(t *testing.T) {
	status, said := run(t.Context(), "--out", t.TempDir(), "--scenario", write(t, "small.json", small), "--n", "4", "--rates", "50", "--tiers", "direct,sockets", "--lose", "7", "--patience", "300ms")
	if status != config.StatusFailed {
		t.Fatalf("status %d: %s", status, said)
	}
	for _, want := range []string{"Core, direct links, 4 gateways, 50/s: ", "sockets at edges, 4 gateways, 50/s: ", " lost, 0 twice"} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q: %s", want, said)
		}
	}
}

// Without Redis its tiers are named, and the command fails unless it was told so.
func TestWithoutRedis(t *testing.T) {
	t.Setenv("PATH", "")
	args := []string{"--out", t.TempDir(), "--scenario", write(t, "small.json", small), "--n", "2", "--tiers", "redis,direct"}
	if status, said := run(t.Context(), args...); status != config.StatusFailed || !strings.Contains(said, "apt-get install redis-server") {
		t.Errorf("status %d: %s", status, said)
	}
	if status, said := run(t.Context(), append(args, "--without-redis")...); status != config.StatusDone {
		t.Errorf("status %d: %s", status, said)
	}
	if status, said := run(t.Context(), "--out", t.TempDir(), "--tiers", "redis", "--n", "2", "--without-redis"); status != config.StatusFailed {
		t.Errorf("with nothing measured: status %d: %s", status, said)
	}
}

// Interrupted, it ends soon, and leaves nothing: the leak check and the children's
// own parent see to that.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	began := time.Now()
	time.AfterFunc(500*time.Millisecond, cancel)
	if status, said := run(ctx, "--out", t.TempDir(), "--tiers", "direct", "--n", "50", "--seconds", "100"); status == config.StatusDone {
		t.Errorf("status %d: %s", status, said)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it went on for %v", took)
	}
}

func TestRefused(t *testing.T) {
	for _, args := range [][]string{{"--n", "5,1"}, {"--tiers", "kafka"}, {"--seconds", "-1"}} {
		if status, said := run(t.Context(), append(args, "--out", t.TempDir())...); status != config.StatusUsage {
			t.Errorf("%v: status %d: %s", args, status, said)
		}
	}
}
