package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"text/tabwriter"

	"selvedge/internal/config"
)

// Result is what a command measured.
type Result struct {
	Command  string       `json:"command"`
	Build    config.Build `json:"build"`
	System   string       `json:"system"`
	CPUs     int          `json:"cpus"`
	Quick    bool         `json:"quick,omitempty"` // too small and short to mean much
	Settings any          `json:"settings"`
	Rows     []Row        `json:"rows"`
	Notes    []string     `json:"notes"` // what explains the rows
}

// Row is one figure, beside that of the bare floor.
type Row struct {
	What  string    `json:"what"`
	Unit  string    `json:"unit"`
	Floor *Estimate `json:"floor,omitempty"`
	Ours  Estimate  `json:"ours"`
	Ratio *Estimate `json:"ratio,omitempty"` // ours / floor, pair by pair
	Goal  *Goal     `json:"goal,omitempty"`
}

// Goal is what a row is to reach.
type Goal struct {
	Text    string `json:"text"`
	Reached bool   `json:"reached"`
}

func newResult(command string, settings any, quick bool) *Result {
	return &Result{
		Command: command, Build: config.ReadBuild(), System: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(),
		Quick: quick, Settings: settings,
	}
}

func (r *Result) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// compare adds a row of pairs.
func (r *Result) compare(what, unit string, ours, floor []float64) *Row {
	f, ratio := estimate(floor), estimate(ratios(ours, floor))
	r.Rows = append(r.Rows, Row{What: what, Unit: unit, Floor: &f, Ours: estimate(ours), Ratio: &ratio})
	return &r.Rows[len(r.Rows)-1]
}

// beside adds a row of one measurement each, that isn't a matter of ratios.
func (r *Result) beside(what, unit string, ours, floor float64) *Row {
	f := estimate([]float64{floor})
	r.Rows = append(r.Rows, Row{What: what, Unit: unit, Floor: &f, Ours: estimate([]float64{ours})})
	return &r.Rows[len(r.Rows)-1]
}

// show adds a row that has no floor.
func (r *Result) show(what, unit string, ours ...float64) *Row {
	r.Rows = append(r.Rows, Row{What: what, Unit: unit, Ours: estimate(ours)})
	return &r.Rows[len(r.Rows)-1]
}

// atMost and atLeast set the goal of a row's ratio, below the row's own value.
func (w *Row) ratioAtMost(x float64) {
	w.Goal = &Goal{fmt.Sprintf("<= %.2f x floor", x), w.Ratio.Median <= x}
}

func (w *Row) ratioAtLeast(x float64) {
	w.Goal = &Goal{fmt.Sprintf(">= %g x floor", x), w.Ratio.Median >= x}
}

func (w *Row) atMost(x float64) {
	w.Goal = &Goal{fmt.Sprintf("<= %g %s", x, w.Unit), w.Ours.Median <= x}
}

func (w *Row) atLeast(x float64) {
	w.Goal = &Goal{fmt.Sprintf(">= %g", x), w.Ours.Median >= x}
}

// print writes the table.
func (r *Result) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(t, format+"\n", args...) } // t keeps the first error for Flush
	line("%s: %s, %d CPUs, %s", r.Command, r.System, r.CPUs, r.Build.Go)
	if r.Quick {
		line("QUICK: too small and too short to be quoted; leave out --quick for the real thing")
	}
	line("")
	line("what\tunit\tbare floor\tours\tours/floor\tto reach\treached")
	for _, row := range r.Rows {
		floor, ratio, goal, reached := "-", "-", "-", "-"
		if row.Floor != nil {
			floor = figure(row.Floor.Median)
		}
		if row.Ratio != nil {
			ratio = row.Ratio.String()
		}
		if row.Goal != nil {
			goal, reached = row.Goal.Text, "NO"
			if row.Goal.Reached {
				reached = "yes"
			}
		}
		line("%s\t%s\t%s\t%s\t%s\t%s\t%s", row.What, row.Unit, floor, figure(row.Ours.Median), ratio, goal, reached)
	}
	line("")
	for _, n := range r.Notes {
		line("- %s", n)
	}
	return t.Flush()
}

// figure is a number as people read it: three digits that count, no exponent.
func figure(x float64) string {
	switch {
	case x >= 1000:
		s := strconv.FormatFloat(x, 'f', 0, 64)
		for i := len(s) - 3; i > 0; i -= 3 {
			s = s[:i] + "," + s[i:]
		}
		return s
	case x >= 100:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case x >= 10:
		return strconv.FormatFloat(x, 'f', 1, 64)
	}
	return strconv.FormatFloat(x, 'f', 2, 64)
}

// finish prints a result, and writes it for machines to a file; "" = not.
func (r *Result) finish(stdout io.Writer, path string) error {
	if err := r.print(stdout); err != nil {
		return err
	}
	return save(path, r)
}

// save writes a result for machines; "" = not.
func save(path string, result any) error {
	if path == "" {
		return nil
	}
	b, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}
