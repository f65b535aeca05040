package mega

import (
	"fmt"
	"strings"
	"testing"

	"selvedge/simulations/report"
)

// checkSections reports what a page can't show.
func checkSections(t *testing.T, sections []report.Section) {
	t.Helper()
	for _, s := range sections {
		if s.Title == "" || len(s.Text) == 0 || len(s.Figures) == 0 || len(s.Tables) == 0 {
			t.Errorf("%q lacks something", s.Title)
		}
		all := fmt.Sprint(s.Text)
		for _, f := range s.Figures {
			if f.Title == "" || f.Alt == "" {
				t.Errorf("%q has no words", f.Title)
			}
			all += string(f.SVG)
		}
		for _, table := range s.Tables {
			for _, row := range table.Rows {
				if len(row) != len(table.Head) {
					t.Errorf("%s: a row of %d cells under %d", table.Caption, len(row), len(table.Head))
				}
				all += fmt.Sprint(row)
			}
		}
		if strings.Contains(all, "NaN") || strings.Contains(all, "Inf") {
			t.Errorf("%q has a figure that is none", s.Title)
		}
	}
}
