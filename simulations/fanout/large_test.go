package fanout

import (
	"slices"
	"strings"
	"testing"

	"selvedge/internal/config"
	"selvedge/simulations/mega"
	"selvedge/simulations/report/reporttest"
	"selvedge/simulations/scenario"
)

// What is asked for says which parts are measured.
func TestParts(t *testing.T) {
	for _, c := range []struct {
		command Command
		want    []string
	}{
		{Command{}, allParts},
		{Command{Parts: []string{partRooms}}, []string{partRooms}},
		{Command{N: []int{3}}, []string{partTiers}},
		{Command{Tiers: []string{tierDirect}}, []string{partTiers}},
		{Command{Rates: []int{3}, Parts: []string{partTiers, partMega}}, []string{partTiers, partMega}},
		{Command{Edges: 7, SocketsPerEdge: 9}, allParts},
	} {
		s, err := c.command.scenario()
		if err != nil || !slices.Equal(s.Parts, c.want) {
			t.Errorf("%+v: %v, %v", c.command, s.Parts, err)
		}
		if c.command.Edges > 0 && (s.Mega.Edges != 7 || s.Mega.SocketsPerEdge != 9) {
			t.Errorf("%+v: %+v", c.command, s.Mega)
		}
	}
	if _, err := (&Command{Parts: []string{"all"}}).scenario(); err == nil || !strings.Contains(err.Error(), "parts") {
		t.Errorf("a part that there isn't: %v", err)
	}
	if _, err := (&Command{Edges: -1}).scenario(); err == nil || !strings.Contains(err.Error(), "mega.edges") {
		t.Errorf("fewer edges than none: %v", err)
	}
	s := Default()
	if err := scenario.Read([]byte("mega: {edges: 3}\nrooms: {members: 10, sockets: 5}"), &s); err != nil || s.Mega.Edges != 3 || s.Mega.SocketsPerEdge != 1000 || s.Rooms.Members != 10 {
		t.Errorf("%+v, %v", s.Scenario, err)
	}
	if err := scenario.Read([]byte("mega: {edge: 3}"), &s); err == nil {
		t.Error("a key that nobody knows was taken")
	}
	a := (&Command{Seed: 1, Parts: allParts, Edges: 2, SocketsPerEdge: 3}).asked()
	if got := a.Line("fanout"); got != "selvedge simulate fanout --seed 1 --parts tiers,mega,rooms --edges 2 --sockets-per-edge 3" {
		t.Error(got)
	}
}

// The large parts are in the report, by themselves.
func TestTheLargePartsAreReported(t *testing.T) {
	dir := t.TempDir()
	file := write(t, "large.json", `{"mega": {"edges": 2, "regions": 2, "sockets_per_edge": 20, "publishes": 1, "gateways": 2, "idle": 0.1}}`)
	if status, said := run(t.Context(), "--out", dir, "--scenario", file, "--parts", "mega"); status != config.StatusDone {
		t.Fatalf("status %d: %s", status, said)
	}
	var r struct {
		Host struct {
			Mega  *mega.MegaResult  `json:"mega"`
			Rooms *mega.RoomsResult `json:"rooms"`
		} `json:"host_time"`
	}
	reporttest.File(t, dir, &r)
	if m := r.Host.Mega; m == nil || m.Sockets != 40 || m.Last.Median <= 0 || r.Host.Rooms != nil {
		t.Errorf("%+v", r.Host)
	}
	if page := reporttest.Page(t, dir, "The mega-channel: 40 members on 2 gateways"); strings.Contains(page, "The hypothesis") {
		t.Error("the page shows something else")
	}
}
