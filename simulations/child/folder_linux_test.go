package child_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"selvedge/simulations/child"
)

// What a killed process left is removed by the next folder that is made, whatever it was for; what belongs to a
// process that runs, and what is somebody else's, is not.
func TestFoldersOfKilledProcessesAreRemoved(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	const gone = 1 << 30 // no process has such a number
	own, err := child.Folder("one-thing")
	if err != nil {
		t.Fatal(err)
	}
	stays := map[string]bool{
		filepath.Base(own):                              true,
		fmt.Sprintf("selvedge-other-%d-1", gone):        false,
		fmt.Sprintf("selvedge-one-thing-%d-23", gone):   false,
		fmt.Sprintf("selvedge-other-%d-1", os.Getpid()): true,
		fmt.Sprintf("selvedge-other-%d", gone):          true, // no number of a process
		fmt.Sprintf("other-%d-1", gone):                 true,
	}
	for name := range stays {
		if err := os.MkdirAll(filepath.Join(os.TempDir(), name, "data"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	next, err := child.Folder("another")
	if err != nil {
		t.Fatal(err)
	}
	stays[filepath.Base(next)] = true
	for name, want := range stays {
		if _, err := os.Stat(filepath.Join(os.TempDir(), name)); errors.Is(err, os.ErrNotExist) == want {
			t.Errorf("%s: %v", name, err)
		}
	}
}
