package planet

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"selvedge/internal/config"
	"selvedge/simulations/report/reporttest"
)

// tiny is a scenario that takes no time.
func tiny() Scenario {
	s := Default()
	s.Draws, s.Users, s.Edges = 5, []float64{1e7, 1e9}, []int{20, 2000}
	return s
}

func TestTheSameSeedDrawsTheSame(t *testing.T) {
	s := tiny()
	c, err := Frozen()
	if err != nil {
		t.Fatal(err)
	}
	of := func(seed uint64, cpus int) *Outcome {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cpus))
		o, err := reckon(t.Context(), &s, &c, seed, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	one := of(1, 1)
	if diff := cmp.Diff(one, of(1, 4), cmp.AllowUnexported(bill{}, sway{}, end{})); diff != "" {
		t.Errorf("the same seed twice:\n%s", diff)
	}
	if two := of(2, 4); two.Sizes[0].Million == one.Sizes[0].Million {
		t.Error("another seed draws the same")
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := tiny()
	c, err := Frozen()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reckon(ctx, &s, &c, 1, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}

// run plays the command, and returns what it printed.
func (c *Command) run(t *testing.T) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := c.Run(t.Context(), &config.IO{Stdin: strings.NewReader(""), Stdout: &out, Stderr: io.Discard})
	return out.String(), err
}

// The files are whole, for themselves, and have all that a reader must know.
func TestTheReport(t *testing.T) {
	s := tiny()
	file := filepath.Join(t.TempDir(), "s.yaml")
	if err := os.WriteFile(file, []byte(s.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	bare, err := Frozen()
	if err != nil {
		t.Fatal(err)
	}
	bare.Fitted, bare.Tiers, bare.Crowd = nil, nil, nil
	unfitted := filepath.Join(t.TempDir(), "costs.yaml")
	if err := os.WriteFile(unfitted, []byte(bare.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, costs := range map[string]string{"not fitted": unfitted, "fitted": fitted(t)} {
		dir := t.TempDir()
		if _, err := (&Command{Out: dir, Seed: 1, Scenario: file, Costs: costs}).run(t); err != nil {
			t.Fatal(err)
		}
		page := reporttest.Page(t, dir, "selvedge simulate planet --seed 1 --scenario", "What it can’t", "Computed", "state in memory", "Which assumption matters", "Slack, Flannel", "hashicorp/memberlist#243", "docs/terraform.md", "draws: 5")
		if (costs != unfitted) != strings.Contains(page, "Laws of one publish at a time") {
			t.Errorf("%s: the page tells of laws, or doesn't", name)
		}
		if n := strings.Count(page, "<svg "); n < 8 || strings.Contains(page, "Host time") {
			t.Errorf("%s: %d pictures, or the page tells of a time that nothing took", name, n)
		}
		var back struct {
			Scenario string `json:"scenario"`
			Model    struct {
				Sizes []Size `json:"sizes"`
				Grid  [][]needs
			} `json:"model"`
		}
		if reporttest.File(t, dir, &back); len(back.Model.Sizes) != 2 || len(back.Model.Grid) != 2 || back.Scenario != s.String() {
			t.Errorf("%s: %+v", name, back)
		}
	}
}

// fitted is a file of costs that were fitted to the tests' laws.
func fitted(t *testing.T) string {
	t.Helper()
	c := calibrated(t, fanoutReport(t, small, nil), millionReport(t, 100_000, nil))
	file := filepath.Join(t.TempDir(), "costs.yaml")
	if err := os.WriteFile(file, []byte(c.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestTheCommandFitsAndChecks(t *testing.T) {
	runs := []string{fanoutReport(t, full, nil)}
	costs := filepath.Join(t.TempDir(), "costs.yaml")
	calibrate := append([]string{millionReport(t, 10_000, nil), millionReport(t, 40_000, nil), millionReport(t, 100_000, nil)}, runs...)
	if out, err := (&Command{Calibrate: calibrate, Costs: costs}).run(t); err != nil || strings.TrimSpace(out) != costs {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := (&Command{Check: append(runs, millionReport(t, 1_000_000, nil)), Costs: costs}).run(t)
	if err != nil || strings.Count(out, "holds") != 3*2-1+3 || strings.Count(out, "not judged") != 3*5+1+1 {
		t.Errorf("%v:\n%s", err, out)
	}
	if _, err := (&Command{Check: []string{millionReport(t, 2_000_000, func(row map[string]any) { row["welcomed_s"] = 1000.0 })}, Costs: costs}).run(t); !errors.Is(err, errOff) {
		t.Errorf("a check that is off: %v", err)
	}
	for name, c := range map[string]Command{
		"both":              {Calibrate: runs, Check: runs, Costs: costs},
		"nowhere to write":  {Calibrate: runs},
		"no costs":          {Check: runs, Costs: filepath.Join(t.TempDir(), "none")},
		"a wrong scenario":  {Scenario: runs[0], Out: t.TempDir()},
		"costs of a report": {Check: runs, Costs: runs[0]},
	} {
		if _, err := c.run(t); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	before, err := os.ReadFile(costs)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&Command{Calibrate: []string{millionReport(t, 1_000_000, nil)}, Costs: costs}).run(t); !errors.Is(err, errTooLarge) {
		t.Errorf("a million sockets to calibrate with: %v", err)
	}
	if after, err := os.ReadFile(costs); err != nil || !bytes.Equal(before, after) {
		t.Errorf("a calibration that was refused has changed the file: %v", err)
	}
}
