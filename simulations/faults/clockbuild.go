package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A wall clock belongs to the machine: a process can't have one of its own, and
// stepping the machine's would disturb everyone. So the nodes of the part "clock"
// are a build of the same sources in which the standard library's time.Now reads
// the kernel's clock and adds what a file says. Everything in the process sees
// that clock, the log's engine and TLS, too. The monotonic clock stays as it is,
// as with a real step. The files' times, which the kernel gives, are not stepped.

// clocksEnv names the folder of the nodes' clocks to a stepped build: a file for
// each node, by its name.
const clocksEnv = "SELVEDGE_FAULTS_CLOCKS"

const (
	// nowWas begins the function that is changed.
	nowWas = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	nowIs  = nowWas + "\tsec += steppedBy()\n"

	// steppedTime is added to package time. One byte is written and read at once.
	steppedTime = `package time

var stepped *byte

// StepBy makes every Now differ from the kernel's clock by *hours, an int8.
func StepBy(hours *byte) { stepped = hours }

func steppedBy() (seconds int64) {
	if stepped == nil {
		return 0
	}
	return 3600 * int64(int8(*stepped))
}
`
	// steppedMain is added to package main.
	steppedMain = `package main

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

func init() {
	dir, at := os.Getenv("` + clocksEnv + `"), slices.Index(os.Args, "--name")+1
	if dir == "" || at == 0 {
		return
	}
	f, err := os.Open(filepath.Join(dir, os.Args[at]))
	if err != nil {
		panic(err)
	}
	clock, err := syscall.Mmap(int(f.Fd()), 0, 1, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic(err)
	}
	time.StepBy(&clock[0])
}
`
)

// buildStepped builds package main of the folder main, in which the go command
// is run, with a clock that can be stepped, and puts the binary into dir.
func buildStepped(ctx context.Context, main, dir string) (binary string, err error) {
	root, err := goCommand(ctx, main, "env", "GOROOT")
	if err != nil {
		return "", fmt.Errorf("%w: it needs the Go toolchain: %w", errNotHere, err)
	}
	library := filepath.Join(root, "src", "time")
	now, err := os.ReadFile(filepath.Join(library, "time.go"))
	if err != nil {
		return "", fmt.Errorf("%w: it needs the sources of the Go toolchain: %w", errNotHere, err)
	}
	if strings.Count(string(now), nowWas) != 1 {
		return "", fmt.Errorf("%w: time.Now in %s is not the one that is known", errNotHere, library)
	}
	replace := map[string]string{}
	for path, text := range map[string]string{
		filepath.Join(library, "time.go"):     strings.Replace(string(now), nowWas, nowIs, 1),
		filepath.Join(library, "zstepped.go"): steppedTime,
		filepath.Join(main, "zstepped.go"):    steppedMain,
	} {
		file := filepath.Join(dir, fmt.Sprintf("overlay-%d.go", len(replace)))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return "", err
		}
		replace[path] = file
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		return "", err
	}
	binary = filepath.Join(dir, "stepped")
	if _, err := goCommand(ctx, main, "build", "-buildvcs=false", "-overlay", file, "-o", binary, "."); err != nil {
		return "", fmt.Errorf("build with a clock that can be stepped: %w", err)
	}
	return binary, nil
}

// sources is the folder of this module's sources, if the process runs in it.
func sources(ctx context.Context) (string, error) {
	dir, err := goCommand(ctx, "", "list", "-m", "-f", "{{.Dir}}", "selvedge")
	if err != nil {
		return "", fmt.Errorf("%w: it needs the Go toolchain, and Selvedge's sources around the current folder: %w", errNotHere, err)
	}
	return dir, nil
}

// goCommand runs the go command in a folder ("" = the current one), and returns
// what it says. It downloads no other toolchain.
func goCommand(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(cmd.Environ(), "GOTOOLCHAIN=local")
	out, err := cmd.Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("go %s: %w: %s", args[0], err, strings.TrimSpace(string(failed.Stderr)))
	}
	return strings.TrimSpace(string(out)), err
}
