package bubble

import (
	"flag"
	"runtime"
	"testing"

	"github.com/nats-io/nats-server/v2/server/ats"
)

// Main calls f with a testing.T, outside of `go test`, so that f can open bubbles
// with synctest.Test, one after the other. It returns what f returns. What f does
// with the T beside that has no effect: it needs no cleanup, and reports nothing.
// Meanwhile the process has one CPU, and collects its garbage seldom. Once per process.
//
// Package testing makes a T only for tests that its own Main runs, and that ends the
// process, with "PASS" on stdout. So Main runs in a goroutine of its own, with f
// as its only test; when f is done the test waits for ever, and the caller goes on. The
// flags of package testing are declared, and parsed from nothing: a command line
// that another parser has read stays that parser's.
func Main(f func(*testing.T) error) error {
	testing.Init()
	if !flag.Parsed() {
		if err := flag.CommandLine.Parse(nil); err != nil {
			return err
		}
	}
	ats.Register() // the clock of NATS: its goroutine must not belong to a bubble
	defer ats.Unregister()
	defer economize()()
	done := make(chan error)
	all := func(string, string) (bool, error) { return true, nil }
	go testing.Main(all, []testing.InternalTest{{Name: "virtual time", F: func(t *testing.T) { done <- f(t); select {} }}}, nil, nil)
	return <-done
}

// Clean is called before each bubble of a process: pools that packages keep timers in,
// such as NATS' client, must not hand those of one bubble to another. A pool survives
// one collection of garbage.
func Clean() {
	runtime.GC()
	runtime.GC()
}
