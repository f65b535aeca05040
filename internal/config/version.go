package config

import (
	"fmt"
	"runtime/debug"
)

// version is written by the linker (-X selvedge/internal/config.version=…, see
// the Makefile) and never by the program.
var version string

// Build says what a binary was made of.
type Build struct {
	Version string // a tag or a pseudo version; "devel" if unknown
	Commit  string // full hash, "-dirty" appended if the tree had changes; "unknown" without version control
	Go      string // the toolchain, such as go1.26.8
}

// ReadBuild reads what the linker and the toolchain left in this binary.
func ReadBuild() Build {
	b := Build{Version: version, Commit: "unknown", Go: "unknown"}
	info, ok := debug.ReadBuildInfo()
	if ok {
		b.Go = info.GoVersion
		if b.Version == "" && info.Main.Version != "(devel)" {
			b.Version = info.Main.Version
		}
		dirty := ""
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				b.Commit = s.Value
			case "vcs.modified":
				if s.Value == "true" {
					dirty = "-dirty"
				}
			}
		}
		b.Commit += dirty
	}
	if b.Version == "" {
		b.Version = "devel"
	}
	return b
}

// VersionCommand is `selvedge version`.
type VersionCommand struct{}

// Help is the command's long help.
func (*VersionCommand) Help() string {
	return "Example:\n\n  $ selvedge version\n  selvedge v0.1.0 commit 3f0c… go1.26.8\n\nName all of it in a bug report."
}

// Run prints the version, the commit and the toolchain.
func (*VersionCommand) Run(stdio *IO) error {
	b := ReadBuild()
	_, err := fmt.Fprintf(stdio.Stdout, "%s %s commit %s %s\n", program, b.Version, b.Commit, b.Go)
	return err
}
