package million

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"selvedge/simulations/scenario/scenariotest"
)

func written(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "scenario.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestScenarios(t *testing.T) {
	scenariotest.Run(t, Default, map[string]string{
		"sokkets: 5":                     "sokkets",
		"sockets: 0":                     "sockets: 0",
		"edge_sockets: 30000":            "edge_sockets: 30000",
		"regions: [nowhere at all]":      "nowhere at all",
		"regions: []":                    "regions: 0",
		"ping: 1ms":                      "ping: 1ms",
		"ping: 51m":                      "ping: 51m0s",
		"idle: 3h":                       "idle: 3h",
		"message_bytes: -1":              "message_bytes: -1",
		"publishes: 0":                   "publishes: 0",
		"estimate: {core_bytes: -1}":     "estimate: -1",
		"estimate: {no_such: 1}":         "no_such",
		"in_flight: many":                "cannot unmarshal",
		"team: 0\nteam_publishes: 99999": "team_publishes: 99999",
	})
}

func TestTheSizesOfTheDefaults(t *testing.T) {
	s := Default()
	if s.edges() != 53 || s.processes() != 53 || s.teams() != 10_000 {
		t.Errorf("%d edges, %d processes, %d teams", s.edges(), s.processes(), s.teams())
	}
	if s.Quick(); s.Sockets != 20_000 {
		t.Errorf("a quick one: %+v", s)
	}
}

// Pings are as usual, unless they would fill the machine.
func TestPace(t *testing.T) {
	for _, c := range []struct {
		sockets, cpus int
		ping, want    time.Duration
	}{
		{100_000, 2, 0, usualPing},
		{250_000, 2, 0, usualPing},
		{1_000_000, 2, 0, 294 * time.Second},
		{1_000_000, 16, 0, usualPing},
		{6_000_000, 1, 0, 50 * time.Minute},
		{1_000_000, 2, time.Minute, time.Minute},
	} {
		s := Scenario{Sockets: c.sockets, Ping: c.ping}
		if s.pace(c.cpus); s.Ping != c.want {
			t.Errorf("%d sockets, %d CPUs, %v: %v, want %v", c.sockets, c.cpus, c.ping, s.Ping, c.want)
		}
	}
}

// However the users are divided among processes, each is counted in one team.
func TestTheMembersOfATeamAreCounted(t *testing.T) {
	for _, s := range []Scenario{{Sockets: 1000, Team: 100}, {Sockets: 1003, Team: 100}, {Sockets: 7, Team: 100}, {Sockets: 50, Team: 1}} {
		for team := range s.teams() {
			for _, span := range [][2]int{{0, s.Sockets}, {0, 0}, {3, 1}, {s.Sockets / 3, s.Sockets / 2}, {team, 1}, {s.Sockets - 1, 1}} {
				want := 0
				for n := span[0]; n < span[0]+span[1]; n++ {
					if n%s.teams() == team {
						want++
					}
				}
				if got := s.members(team, span[0], span[1]); got != want {
					t.Errorf("%d sockets, team %d, %v: %d members, want %d", s.Sockets, team, span, got, want)
				}
			}
		}
	}
}
