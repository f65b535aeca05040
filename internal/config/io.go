package config

import (
	"io"
	"os"

	"golang.org/x/term"
)

// IO is where a command reads and writes: results to Stdout, progress and
// errors to Stderr. Commands take it as *IO, so that tests can run them whole.
type IO struct {
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
}

// Terminal reports whether Stderr is a terminal: progress bars are for those only.
func (s *IO) Terminal() bool {
	f, ok := s.Stderr.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
