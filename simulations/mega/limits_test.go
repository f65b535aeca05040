package mega

import (
	"errors"
	"strings"
	"testing"

	"selvedge/simulations/limits"
	"selvedge/simulations/load"
)

// What a machine can't hold is refused, with the arithmetic.
func TestWhatDoesNotFitIsRefused(t *testing.T) {
	s := Default()
	if err := s.Mega.demand().within(limits.Limits{Files: 20_000, Memory: 10 << 30}); err != nil {
		t.Error(err)
	}
	if err := s.Rooms.demand().within(limits.Limits{Files: 20_000, Memory: 4 << 30}); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		demand demand
		limits limits.Limits
		want   string
	}{
		{s.Mega.demand(), limits.Limits{Files: 18_399}, "18200 sockets and 200 other files, 18400 in all, and may open 18399"},
		{s.Mega.demand(), limits.Limits{Files: 20_000, Memory: 5 << 30}, "that is 6301 MiB, and 5120 MiB are available"},
		{s.Rooms.demand(), limits.Limits{Files: 1024}, "10000 sockets and 200 other files"},
	} {
		if err := c.demand.within(c.limits); !errors.Is(err, ErrLimit) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.limits, err, c.want)
		}
	}
	if err := s.Mega.demand().within(limits.Limits{Files: 18_400}); err != nil {
		t.Errorf("just enough: %v", err)
	}
}

// No process of clients has more sockets than it may, and there are no more of them
// than that takes.
func TestSocketsAreSpreadOverProcesses(t *testing.T) {
	for _, c := range []struct{ groups, perGroup, want int }{
		{200, 1000, 11}, {1, 10_000, 1}, {1, 19_000, 1}, {1, 19_001, 2}, {2, 18_000, 2}, {400, 94, 2}, {400, 95, 3},
	} {
		n := workers(c.groups, c.perGroup)
		if n != c.want || c.groups*((c.perGroup+n-1)/n) > load.MaxSockets {
			t.Errorf("%d groups of %d: %d processes, want %d", c.groups, c.perGroup, n, c.want)
		}
	}
}
