package bench

import (
	"strings"
	"testing"

	"selvedge/internal/config"
)

func TestWelcome(t *testing.T) {
	var r Result
	out := measured(t, &r, "welcome", "--users", "200", "--rooms", "120", "--per-user", "20", "--many", "150", "--samples", "2", "--rtt", "10ms")
	checkRows(t, r.Rows, 9)
	above(t, r.Rows)
	row := func(what string) float64 {
		for _, row := range r.Rows {
			if strings.Contains(row.What, what) {
				return row.Ours.Median
			}
		}
		t.Errorf("no row %q in %s", what, out)
		return 0
	}
	// 20 rooms and the user, of 300 and 400 bytes, and what is around them.
	if size := row("welcome in a team of 200"); size < 20*roomBytes || size > 2*(20*roomBytes+userBytes) {
		t.Errorf("a welcome of %v bytes", size)
	}
	if full := row("the full snapshot"); full < 200*userBytes {
		t.Errorf("a snapshot of %v bytes", full)
	}
	if row("  compressed") >= row("welcome in") || row("snapshot, compressed") >= row("the full snapshot") {
		t.Errorf("compressing saves nothing: %s", out)
	}
	// The edge asks the core at least once.
	if row("cold edge over 10ms") < 10 {
		t.Errorf("the cold edge answers faster than its core can: %s", out)
	}
}

func TestDirectory(t *testing.T) {
	dir := t.TempDir()
	for _, args := range [][]string{nil, {"--bulk", "300"}} { // the second time, the log is there
		var r Result
		out := measured(t, &r, append([]string{"directory", "--users", "300", "--rooms", "50", "--memberships", "1000", "--bulk", "200", "--sockets", "20", "--data", dir}, args...)...)
		rows := 16
		if args != nil {
			rows--
		}
		checkRows(t, r.Rows, rows)
		above(t, r.Rows)
		if !strings.Contains(out, "the next message at all of 20 live sockets") {
			t.Errorf("printed %s", out)
		}
	}
}

func TestWrongUseOfState(t *testing.T) {
	for _, args := range [][]string{
		{"welcome", "--users", "0"},
		{"welcome", "--rooms", "3", "--per-user", "4"},
		{"welcome", "--tls"},
		{"directory", "--bulk", "100001"},
		{"directory", "--users", "10", "--memberships", "30", "--rooms", "2"},
		{"directory", "--sockets", "200001"},
	} {
		var stdout, stderr strings.Builder
		status := run(t.Context(), config.IO{Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr}, append([]string{"bench"}, args...)...)
		if status != config.StatusUsage || stdout.Len() > 0 || strings.Count(stderr.String(), "\n") != 1 {
			t.Errorf("%v: status %d, printed %s, said %s", args, status, &stdout, &stderr)
		}
	}
}
