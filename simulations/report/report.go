package report

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"time"

	"selvedge/internal/config"
)

// Files of a report, in its folder.
const (
	HTML = "report.html"
	JSON = "report.json"
)

// Report is what one simulation found. Network time is virtual and exact: it comes from
// the simulated network alone. Host time is what this machine took: to play that, or to
// do the thing itself, with real processes. The two are never added, and no figure holds both.
type Report struct {
	Name    string       `json:"name"` // the command's, after `selvedge simulate`
	Title   string       `json:"title"`
	Quick   bool         `json:"quick"` // too small to be quoted
	Command string       `json:"command"`
	Seed    uint64       `json:"seed"`
	Build   config.Build `json:"build"`
	Machine Machine      `json:"machine"`
	Made    time.Time    `json:"made"`
	// Scenario is all options that the seed and the flags expanded to, as a file that
	// the same command reads.
	Scenario string `json:"scenario"`
	Shows    string `json:"shows"`   // what this shows,
	Cannot   string `json:"cannot"`  // and what it can't
	Sources  string `json:"sources"` // of data, with their licences

	Network any `json:"network_time"` // figures, for machines
	Host    any `json:"host_time"`
	Model   any `json:"model,omitempty"` // computed from what others measured, and assumed

	Key []Key `json:"-"` // a few figures, first of all
	// The two halves of the page; one without sections is left out.
	NetworkSections []Section `json:"-"`
	HostSections    []Section `json:"-"`
	// HostNote says what host time is here; "" = what it took to play the network's.
	HostNote string `json:"-"`
	// ModelSections are of figures that were computed, and stand apart from both.
	ModelSections []Section `json:"-"`
}

// Key is a figure to begin with.
type Key struct{ Value, Unit, Text string }

// Section is a part of the page.
type Section struct {
	Title   string
	Text    []string // paragraphs
	Figures []Figure
	Tables  []Table
}

// Figure is a picture. Alt says in words what it shows, for those who don't see it.
type Figure struct {
	Title, Alt string
	SVG        template.HTML // of package plot: see Plot.SVG
}

// Table is one. The first column names its rows.
type Table struct {
	Caption string
	Head    []string
	Rows    [][]string
	Folded  bool // shown on demand
	Words   bool // most of it is words, not numbers: to the left
}

//go:embed page.html
var page string

// Prepare makes the folder of a report, that of --out, and reports why it can't be written
// to: before the work, not after it.
func Prepare(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("--out: the folder of the report can't be made: %w", err)
	}
	f, err := os.CreateTemp(dir, ".report-*")
	if err != nil {
		return fmt.Errorf("--out: the folder of the report can't be written to: %w", err)
	}
	if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	return nil
}

// Near is a file as one names it in the folder that one is in.
func Near(file string) string {
	if here, err := os.Getwd(); err == nil {
		if near, err := filepath.Rel(here, file); err == nil {
			return near
		}
	}
	return file
}

// Save writes both files.
func (r *Report) Save(dir string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	html, err := r.render()
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, JSON), append(text, '\n'), 0o644),
		os.WriteFile(filepath.Join(dir, HTML), html, 0o644),
	)
}

func (r *Report) render() ([]byte, error) {
	t, err := template.New("page").Parse(page)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := t.Execute(&out, r); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
