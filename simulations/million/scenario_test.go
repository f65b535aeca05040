package million

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func written(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "scenario.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestAScenarioIsReadAndRefused(t *testing.T) {
	s, err := Load(written(t, "sockets: 5000\nping: 60s\nestimate: {edge_bytes: 7}\n"))
	if err != nil || s.Sockets != 5000 || s.Ping != time.Minute || s.Estimate.EdgeBytes != 7 || s.Estimate.KernelBytes != Default().Estimate.KernelBytes || s.Team != Default().Team {
		t.Errorf("%+v, %v", s, err)
	}
	if again, err := Load(written(t, s.String())); err != nil || again.String() != s.String() {
		t.Errorf("what was printed is read as %+v, %v", again, err)
	}
	if s, err := Load(written(t, `{"sockets": 70}`)); err != nil || s.Sockets != 70 {
		t.Errorf("JSON: %+v, %v", s, err)
	}
	usual := Default()
	if s, err := Load(written(t, "")); err != nil || s.String() != usual.String() {
		t.Errorf("nothing: %+v, %v", s, err)
	}
	for text, says := range map[string]string{
		"sokkets: 5":                     "sokkets",
		"sockets: 0":                     "sockets: 0",
		"edge_sockets: 30000":            "edge_sockets: 30000",
		"regions: [nowhere at all]":      "nowhere at all",
		"regions: []":                    "regions: 0",
		"ping: 1ms":                      "ping: 1ms",
		"idle: 3h":                       "idle: 3h",
		"message_bytes: -1":              "message_bytes: -1",
		"publishes: 0":                   "publishes: 0",
		"estimate: {core_bytes: -1}":     "estimate: -1",
		"estimate: {no_such: 1}":         "no_such",
		"in_flight: many":                "cannot unmarshal",
		"team: 0\nteam_publishes: 99999": "team_publishes: 99999",
	} {
		if _, err := Load(written(t, text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that isn't there was read")
	}
}

func TestTheDefaultsAndTheQuickOnesAreAllowed(t *testing.T) {
	s := Default()
	if err := s.Check(); err != nil {
		t.Error(err)
	}
	if s.edges() != 53 || s.processes() != 53 || s.teams() != 10_000 {
		t.Errorf("%d edges, %d processes, %d teams", s.edges(), s.processes(), s.teams())
	}
	s.Quick()
	if err := s.Check(); err != nil || s.Sockets != 20_000 {
		t.Errorf("%+v: %v", s, err)
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
