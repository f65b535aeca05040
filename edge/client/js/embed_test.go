package js

import (
	"io/fs"
	"path"
	"regexp"
	"testing"
)

// An SDK module that another one imports but that isn't embedded would break
// every page, and no Go code would notice.
func TestImportsAreEmbedded(t *testing.T) {
	imports := regexp.MustCompile(`from '([^']+)'`)
	seen := 0
	err := fs.WalkDir(Files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(Files, name)
		if err != nil {
			return err
		}
		// Comments show imports of applications: they begin with a slash.
		for _, m := range imports.FindAllSubmatch(text, -1) {
			if from := string(m[1]); from[0] == '.' {
				seen++
				if _, err := fs.Stat(Files, path.Clean(from)); err != nil {
					t.Errorf("%s imports %s: %v", name, from, err)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen == 0 {
		t.Fatal("found no import at all: the test looks for the wrong thing")
	}
}
