package reporttest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"selvedge/simulations/report"
)

// Page is the page in folder dir. The test fails if the page lacks one of wants, or has what
// none may have: a number that is none, something from elsewhere, a picture without words.
func Page(t *testing.T, dir string, wants ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, report.HTML))
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for _, want := range wants {
		if !strings.Contains(page, want) {
			t.Errorf("the page says nothing of %q", want)
		}
	}
	for _, no := range []string{"NaN", "Inf", "src=", "href="} {
		if strings.Contains(page, no) {
			t.Errorf("the page has %q", no)
		}
	}
	if n := strings.Count(page, "<svg "); strings.Count(page, `role="img" aria-label="`) != n {
		t.Errorf("of %d pictures some have no words", n)
	}
	return page
}

// File reads the figures in folder dir into v, a pointer to what is wanted of them.
func File(t *testing.T, dir string, v any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, report.JSON))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, v); err != nil {
		t.Fatal(err)
	}
}
