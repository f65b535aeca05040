//go:build terraform

package terraform

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience bounds each run of terraform; none comes near it.
const patience = 3 * time.Minute

// tree is a copy of this folder, in which terraform may write.
type tree struct {
	root string
	env  []string
}

// newTree copies this folder. Its runs of terraform ask nobody outside of this machine.
func newTree(t *testing.T) *tree {
	t.Helper()
	w := &tree{root: t.TempDir()}
	err := fs.WalkDir(os.DirFS("."), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".terraform" || path == "stub" || path == "local/run"):
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(w.root, path), 0o755)
		case strings.HasPrefix(d.Name(), "terraform.tfstate") || d.Name() == ".terraform.lock.hcl" || strings.HasSuffix(d.Name(), ".tfvars"):
			return nil // of somebody's own runs
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(w.root, path), text, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	settings := filepath.Join(w.root, "terraformrc")
	w.write(t, "terraformrc", "disable_checkpoint = true\n")
	w.env = append(slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "TF_") }),
		"TF_CLI_CONFIG_FILE="+settings, "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1", "TF_INPUT=0")
	return w
}

func (w *tree) write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(w.root, path), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// try runs terraform in a folder of the tree.
func (w *tree) try(dir string, args ...string) (out string, status int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "terraform", append([]string{"-chdir=" + filepath.Join(w.root, dir)}, args...)...)
	cmd.Env = w.env
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) } // it keeps what it knows
	cmd.WaitDelay = 20 * time.Second
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &text
	err = cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && ctx.Err() == nil {
		return text.String(), exit.ExitCode(), nil
	}
	return text.String(), 0, err
}

// run runs terraform in a folder of the tree, and expects it to succeed.
func (w *tree) run(t *testing.T, dir string, args ...string) string {
	t.Helper()
	began := time.Now()
	out, status, err := w.try(dir, args...)
	if err != nil || status != 0 {
		t.Fatalf("terraform -chdir=%s %s: status %d, %v\n%s", dir, strings.Join(args, " "), status, err, out)
	}
	t.Logf("%5.1fs terraform -chdir=%s %s", time.Since(began).Seconds(), dir, strings.Join(args, " "))
	return out
}

// apply applies a folder of the tree.
func (w *tree) apply(t *testing.T, dir string, args ...string) string {
	t.Helper()
	return w.run(t, dir, append([]string{"apply", "-auto-approve", "-no-color"}, args...)...)
}

// output reads an output of a folder that was applied.
func (w *tree) output(t *testing.T, dir, name string, to any) {
	t.Helper()
	out, status, err := w.try(dir, "output", "-json", name)
	if err != nil || status != 0 {
		t.Fatalf("output %s of %s: status %d, %v\n%s", name, dir, status, err, out)
	}
	if err := json.Unmarshal([]byte(out), to); err != nil {
		t.Fatalf("output %s of %s: %v\n%s", name, dir, err, out)
	}
}
