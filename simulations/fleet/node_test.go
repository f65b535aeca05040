package fleet

import (
	"strings"
	"testing"
)

// A node that ends at its start is told of, whatever it ends with.
func TestANodeThatEnds(t *testing.T) {
	for binary, want := range map[string]string{"true": "core-1 ended at its start, without an error", "false": "core-1 ended at its start: exit status 1"} {
		f, err := Run(t.Context(), Config{Binary: binary})
		f.Stop()
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", binary, err)
		}
	}
}
