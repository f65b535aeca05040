//go:build terraform

package terraform

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

var (
	binaryFlag = flag.String("selvedge", "../bin/selvedge", "the binary that is tried")
	toolsFlag  = flag.String("tools", "../.bin/terraform", "folder with the tools of terraform/stub: stub and tables")
)

func TestMain(m *testing.M) {
	flag.Parse()
	goleak.VerifyTestMain(m)
}

// absolute is a file that must be there, by a path that holds in any folder.
func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: 'make terraform' builds it", err)
	}
	return path
}

func selvedge(t *testing.T) string { return absolute(t, *binaryFlag) }
