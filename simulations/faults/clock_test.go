package faults

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// clockProgram says on each line of its input what its clocks show.
const clockProgram = `package main

import (
	"bufio"
	"fmt"
	"os"
	"time"
)

func main() {
	start := time.Now()
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		now := time.Now()
		fmt.Println(now.Unix(), int64(now.Sub(start)), int64(time.Since(start)))
	}
}
`

func TestASteppedBuildHasAWallClockOfItsOwn(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module program\n\ngo 1.26\n", "main.go": clockProgram} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	binary, err := buildStepped(t.Context(), dir, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	clock, err := makeClocks(dir, "a")
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	cmd := exec.CommandContext(t.Context(), binary, "--name", "a")
	cmd.Env = append(os.Environ(), clocksEnv+"="+dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for _, hours := range []int8{0, 1, 0, -1, 2} {
		if err := clock.set("a", hours); err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprintln(in); err != nil || !lines.Scan() {
			t.Fatalf("it says nothing: %v", err)
		}
		var unix int64
		var sub, since time.Duration
		if _, err := fmt.Sscan(lines.Text(), &unix, &sub, &since); err != nil {
			t.Fatal(err)
		}
		if off := time.Until(time.Unix(unix, 0)).Round(time.Minute); off != time.Duration(hours)*time.Hour {
			t.Errorf("at %+d h, its wall clock is off by %v", hours, off)
		}
		if most := time.Since(began); sub < 0 || since < sub || since > most {
			t.Errorf("at %+d h, it has run for %v and %v, and was started %v ago", hours, sub, since, most)
		}
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// One step each way, and one restart: the whole is for `selvedge bench faults`.
// It is not parallel, since it compiles.
func TestPromisesAreKeptWhenTheClockIsSet(t *testing.T) {
	small := clockPlan{dwell: 500 * time.Millisecond, core: []int8{1, -1}, edges: []int8{1, -1}, restarts: []int8{1}}
	part := clockSteps
	part.run = func(ctx context.Context, r *run) error { return r.stepClocks(ctx, small) }
	if err := played(t, part, stallTime); err != nil {
		t.Error(err)
	}
}

func TestClockNeedsTheSources(t *testing.T) {
	t.Chdir(t.TempDir())
	if _, err := sources(t.Context()); !errors.Is(err, errNotHere) {
		t.Errorf("without the sources: %v", err)
	}
	t.Setenv("PATH", "")
	if _, err := sources(t.Context()); !errors.Is(err, errNotHere) {
		t.Errorf("without the toolchain: %v", err)
	}
}
