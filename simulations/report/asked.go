package report

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// Asked is what the flags of a simulation's command said.
type Asked struct {
	Out      string // folder of the report
	Seed     uint64
	Scenario string // a file; "" = none
	Quick    bool
	own      []string // flags that this simulation alone has, as they are typed
}

// Add adds a flag that this simulation alone has, if it was given.
func (a *Asked) Add(given bool, format string, args ...any) {
	if given {
		a.own = append(a.own, fmt.Sprintf(format, args...))
	}
}

// Line is the command line again, of `selvedge simulate name`, to be typed in this folder.
func (a *Asked) Line(name string) string {
	parts := []string{"selvedge simulate " + name, fmt.Sprintf("--seed %d", a.Seed)}
	if a.Scenario != "" {
		parts = append(parts, "--scenario "+Near(a.Scenario))
	}
	parts = append(parts, a.own...)
	if a.Quick {
		parts = append(parts, "--quick")
	}
	return strings.Join(parts, " ")
}

// Finish is the end of a command: it says in the report what was asked for, saves it, and
// prints where its page is.
func (r *Report) Finish(a Asked, stdout io.Writer) error {
	r.Command, r.Seed, r.Quick = a.Line(r.Name), a.Seed, a.Quick
	if err := r.Save(a.Out); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	_, err := fmt.Fprintln(stdout, filepath.Join(a.Out, HTML))
	return err
}
