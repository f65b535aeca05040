package faults

import (
	"errors"
	"os"
	"testing"
)

func TestImagesThatCannotBeMountedAreTold(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	t.Setenv("PATH", "")
	if _, _, err := mountImage(t.Context()); !errors.Is(err, errNotHere) {
		t.Errorf("without tools: %v", err)
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestAFolderThatDoesNotObeyIsTold(t *testing.T) {
	t.Setenv("PATH", "") // no chattr
	dir := t.TempDir()
	if err := immutable(dir, true); err == nil {
		t.Error("a folder that takes files counts as immutable")
	}
	if err := immutable(dir, false); err != nil {
		t.Error(err)
	}
}
