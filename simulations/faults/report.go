package faults

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"selvedge/internal/config"
)

// Report is what the command found.
type Report struct {
	Command  string       `json:"command"`
	Build    config.Build `json:"build"`
	System   string       `json:"system"`
	CPUs     int          `json:"cpus"`
	Settings any          `json:"settings"`
	Faults   []Fault      `json:"faults"`
}

// Verdict is what became of a promise.
type Verdict string

// The verdicts.
const (
	Held    Verdict = "yes"
	Broken  Verdict = "NO"
	NotHere Verdict = "not run"
)

// Fault is one fault, and what was seen.
type Fault struct {
	Name    string   `json:"name"`
	Fault   string   `json:"fault"`
	Must    string   `json:"must_hold"`
	Seen    []string `json:"seen"`
	Held    Verdict  `json:"held"`
	Why     string   `json:"why,omitempty"` // it did not hold, or was not run
	Seconds float64  `json:"seconds"`
}

func newReport(c *Command) *Report {
	return &Report{Command: "bench faults", Build: config.ReadBuild(), System: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(), Settings: c}
}

// add enters what a part found; err is why a promise was not kept, or could
// not be looked at.
func (r *Report) add(s scenario, run *run, err error, took time.Duration) {
	f := Fault{Name: s.name, Fault: s.fault, Must: s.must, Seen: run.seen, Held: Held, Seconds: took.Seconds()}
	if err != nil {
		f.Held, f.Why = Broken, err.Error()
		if errors.Is(err, errNotHere) {
			f.Held = NotHere
		}
	}
	r.Faults = append(r.Faults, f)
}

// print writes the table.
func (r *Report) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(t, format+"\n", args...) } // t keeps the first error for Flush
	line("%s: %s, %d CPUs, %s", r.Command, r.System, r.CPUs, r.Build.Go)
	for _, f := range r.Faults {
		line("\n%s\t%s", f.Name, f.Fault)
		line("  must hold\t%s", f.Must)
		for i, s := range f.Seen {
			what := "  seen"
			if i > 0 {
				what = ""
			}
			line("%s\t%s", what, s)
		}
		held := string(f.Held)
		if f.Why != "" {
			held += ": " + strings.ReplaceAll(f.Why, "\n", "\n\t")
		}
		line("  held\t%s (%.0f s)", held, f.Seconds)
	}
	return t.Flush()
}

// save writes the report for machines; "" = not.
func (r *Report) save(path string) error {
	if path == "" {
		return nil
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}

// err names the promises that were not kept.
func (r *Report) err() error {
	var broken []string
	for _, f := range r.Faults {
		if f.Held == Broken {
			broken = append(broken, f.Name)
		}
	}
	if len(broken) == 0 {
		return nil
	}
	return fmt.Errorf("bench faults: not held: %s", strings.Join(broken, ", "))
}
