package bench

import (
	"bytes"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"selvedge/internal/config"
)

// checkRows reports figures that can't be.
func checkRows(t *testing.T, rows []Row, want int) {
	t.Helper()
	if len(rows) != want {
		t.Errorf("%d rows, want %d", len(rows), want)
	}
	for _, r := range rows {
		for _, e := range []*Estimate{r.Floor, &r.Ours, r.Ratio} {
			if e != nil && slices.ContainsFunc(append(e.Values, e.Median, e.Low, e.High), func(x float64) bool {
				return math.IsNaN(x) || math.IsInf(x, 0)
			}) {
				t.Errorf("%s: %+v", r.What, e)
			}
		}
		if r.What == "" || r.Unit == "" {
			t.Errorf("%+v has no name or no unit", r)
		}
	}
}

// above reports figures that aren't above zero: of what was measured, not of a
// difference.
func above(t *testing.T, rows []Row) {
	t.Helper()
	for _, r := range rows {
		if slices.ContainsFunc(r.Ours.Values, func(x float64) bool { return x <= 0 }) {
			t.Errorf("%s: %v", r.What, r.Ours.Values)
		}
	}
}

func TestFanout(t *testing.T) {
	var r Result
	out := measured(t, &r, "fanout", "--sockets", "50", "--pairs", "2", "--frames", "2", "--burst", "20", "--publishers", "3")
	checkRows(t, r.Rows, 5)
	above(t, r.Rows)
	for _, row := range r.Rows {
		if row.Floor == nil || row.Ratio == nil || len(row.Ours.Values) != 2 || len(row.Floor.Values) != 2 {
			t.Errorf("%s: not two pairs", row.What)
		}
	}
	if !strings.Contains(out, "server CPU per delivery") || !strings.Contains(out, "<= 1.10 x floor") {
		t.Errorf("printed %s", out)
	}
}

// A frame that is lost, by whomever, fails the measurement.
func TestFanoutNoticesALostFrame(t *testing.T) {
	var stdout, stderr bytes.Buffer
	status := run(t.Context(), config.IO{Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr},
		"bench", "fanout", "--sockets", "50", "--pairs", "1", "--frames", "2", "--lose", "70", "--patience", "500ms")
	if status != config.StatusFailed || stdout.Len() > 0 || !strings.Contains(stderr.String(), "49 of 50 frames came") {
		t.Errorf("status %d, printed %s, said %s", status, &stdout, &stderr)
	}
}

func TestStorm(t *testing.T) {
	var r Result
	out := measured(t, &r, "storm", "--sockets", "50", "--pairs", "1", "--rooms", "20", "--per-user", "5", "--in-flight", "10")
	checkRows(t, r.Rows, 5)
	above(t, r.Rows)
	if !strings.Contains(out, "welcomed socket (50 sockets)") || !strings.Contains(out, "<= 100 us") {
		t.Errorf("printed %s", out)
	}
}

// A storm at an edge with a limit refuses some, and has all come in.
func TestAPacedStorm(t *testing.T) {
	var r Result
	measured(t, &r, "storm", "--rate", "100", "--sockets", "300", "--rooms", "20", "--per-user", "5")
	rows := map[string]float64{}
	for _, row := range r.Rows {
		rows[strings.TrimSpace(row.What)] = row.Ours.Median
	}
	refused := rows["refused by 503 with Retry-After"] + rows["closed at accept"]
	if rows["clients whose edge was killed, and that are back"] != 270 || rows["new clients that are in"] != 30 || refused == 0 {
		t.Errorf("%v", rows)
	}
	if took := rows["until all are in"]; took < 1.9 { // 100 at once, then 100 per second
		t.Errorf("all are in after %v s", took)
	}
}

func TestMemory(t *testing.T) {
	for _, args := range [][]string{nil, {"--tls", "--transport", "portable"}} {
		var r Result
		out := measured(t, &r, append([]string{"memory", "--sockets", "50", "--settle", "10ms", "--rooms", "20", "--per-user", "5"}, args...)...)
		checkRows(t, r.Rows, 7)
		if !strings.Contains(out, "(50 sockets)") || strings.Contains(out, "TLS") != (args != nil) {
			t.Errorf("%v printed %s", args, out)
		}
	}
}

func TestGC(t *testing.T) {
	var r Result
	measured(t, &r, "gc", "--sockets", "50", "--seconds", "0.4", "--halls", "3", "--rooms", "20", "--per-user", "5", "--publishers", "2", "--pauses", "1000", "--most", "0.6")
	checkRows(t, r.Rows, 6)
	if last := r.Rows[5]; last.Ours.Median <= 0 {
		t.Errorf("%s: %v", last.What, last.Ours.Median)
	}
}

func TestTable(t *testing.T) {
	var r TableResult
	out := measured(t, &r, "table", "--sockets", "50", "--pairs", "1", "--settle", "10ms", "--seconds", "0.4", "--quick", "--transport", "portable")
	parts, rows := 5, 5+7+7+5+6
	if runtime.NumCPU() > 1 {
		parts, rows = parts+1, rows+6 // an edge with a CPU to itself
	}
	checkRows(t, r.Rows, rows)
	if len(r.Parts) != parts || !strings.Contains(out, "QUICK") || !strings.Contains(out, "TLS") {
		t.Errorf("%d parts, printed %s", len(r.Parts), out)
	}
}

func TestWrongUse(t *testing.T) {
	for _, args := range [][]string{
		{"fanout", "--sockets", "0"},
		{"storm", "--rooms", "3", "--per-user", "4"},
		{"memory", "--sockets", "-1"},
		{"gc", "--sockets", "18001"},
		{"fanout", "--transport", "pigeon"},
	} {
		var stdout, stderr bytes.Buffer
		status := run(t.Context(), config.IO{Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr}, append([]string{"bench"}, args...)...)
		if status != config.StatusUsage || stdout.Len() > 0 || strings.Count(stderr.String(), "\n") != 1 {
			t.Errorf("%v: status %d, printed %s, said %s", args, status, &stdout, &stderr)
		}
	}
}
