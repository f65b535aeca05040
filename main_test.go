package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"selvedge/simulations/fleet"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"selvedge": main})
}

// patience bounds every wait of a script; none comes near it.
const patience = 30 * time.Second

// The command line as people use it: see testdata/script.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup:               new(ports).give,
		Cmds:                map[string]func(ts *testscript.TestScript, neg bool, args []string){"fails": fails, "await": await, "shows": shows},
	})
}

// ports are those that scripts have. Scripts run side by side, and open a port long
// after they have got its number: none is given twice.
type ports struct {
	mu    sync.Mutex
	given map[string]bool // guarded by mu
}

// give sets CORE_API, CORE_LINK and so on to loopback addresses that nobody uses.
func (p *ports) give(env *testscript.Env) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.given == nil {
		p.given = map[string]bool{}
	}
	for _, name := range []string{
		"CORE_API", "CORE_LINK", "CORE_GOSSIP", "CORE_ADMIN", "OTHER_API", "OTHER_LINK", "OTHER_GOSSIP", "OTHER_ADMIN",
		"EDGE_PUBLIC", "EDGE_LINK", "EDGE_GOSSIP", "EDGE_ADMIN",
	} {
		for env.Getenv(name) == "" {
			addrs, err := fleet.FreeAddrs(1)
			if err != nil {
				return err
			}
			if !p.given[addrs[0]] {
				p.given[addrs[0]] = true
				env.Setenv(name, addrs[0])
			}
		}
	}
	return nil
}

// fails runs a command that must end with an exit status, and say why in one
// line, without a stack trace: fails STATUS COMMAND...
func fails(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: fails STATUS COMMAND...")
	}
	err := ts.Exec(args[1], args[2:]...)
	status := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		status = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	text := ts.ReadFile("stderr")
	said := 0
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "selvedge: ") {
			said++
		}
	}
	if strconv.Itoa(status) != args[0] || said != 1 || strings.Contains(text, "goroutine ") {
		ts.Fatalf("status %d, want %s and one line of error:\n%s", status, args[0], text)
	}
}

// await asks a URL until it answers with a status, and a text if one is given:
// await URL STATUS [TEXT]
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: await URL STATUS [TEXT]")
	}
	var last string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		res, err := http.Get(args[0])
		if err != nil {
			last = err.Error()
		} else {
			body, _ := io.ReadAll(res.Body)
			_ = res.Body.Close()
			last = fmt.Sprintf("%d %s", res.StatusCode, body)
			if strconv.Itoa(res.StatusCode) == args[1] && (len(args) < 3 || strings.Contains(string(body), args[2])) {
				return
			}
		}
		<-time.After(20 * time.Millisecond)
	}
	ts.Fatalf("%s never answered as wanted, at last: %s", args[0], last)
}

// shows runs a command until it succeeds and prints what matches: shows PATTERN
// COMMAND...
func shows(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: shows PATTERN COMMAND...")
	}
	want, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if err = ts.Exec(args[1], args[2:]...); err == nil && want.MatchString(ts.ReadFile("stdout")) {
			return
		}
		<-time.After(20 * time.Millisecond)
	}
	ts.Fatalf("%s never showed what matches %s, at last: %v\n%s", args[1], args[0], err, ts.ReadFile("stdout"))
}
