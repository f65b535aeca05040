package bench

import (
	"slices"
	"testing"
)

func TestAllowedCPUs(t *testing.T) {
	for text, want := range map[string][]string{
		"Name:\tx\nCpus_allowed_list:\t0-2,5\nMems_allowed:\t1\n": {"0", "1", "2", "5"},
		"Cpus_allowed_list:\t3\n":                                 {"3"},
	} {
		if got, err := allowedCPUs(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "Cpus_allowed_list:\ta-b\n", "Cpus_allowed_list:\t\n"} {
		if got, err := allowedCPUs(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}
