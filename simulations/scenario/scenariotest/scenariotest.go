package scenariotest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"selvedge/simulations/scenario"
)

// pointer is what *S of a simulation can do.
type pointer[S any] interface {
	*S
	scenario.Scenario
	Quick()
	String() string
}

// Run tests the scenario that full returns, and the quick one of it: both can be played, and a
// file of what is printed is the same again, with nothing left out. wrong are files, each with a
// part of why it is refused.
func Run[S any, P pointer[S]](t *testing.T, full func() S, wrong map[string]string) {
	t.Helper()
	s := full()
	whole[S, P](t, &s)
	P(&s).Quick()
	whole[S, P](t, &s)
	for text, want := range wrong {
		s := full()
		if err := scenario.Read([]byte(text), P(&s)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, and should tell of %q", text, err, want)
		}
	}
}

func whole[S any, P pointer[S]](t *testing.T, s P) {
	t.Helper()
	if err := s.Check(); err != nil {
		t.Error(err)
	}
	again := P(new(S))
	if err := scenario.Read([]byte(s.String()), again); err != nil || !cmp.Equal(s, again) {
		t.Errorf("what is printed is another: %v\n%s", err, cmp.Diff(s, again))
	}
}
