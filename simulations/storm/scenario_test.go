package storm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"selvedge/internal/config"
)

func read(t *testing.T, text string) (Scenario, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "s.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(file)
}

func TestAScenarioIsRead(t *testing.T) {
	s, err := read(t, "edge: {siblings: 3}\noffice:\n  outage: 90s\n  variants:\n    - {name: told, told: true, core_away: 5s}\n")
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Edge.Siblings, want.Office.Outage, want.Office.Variants = 3, 90*time.Second, []Variant{{Name: "told", Told: true, CoreAway: 5 * time.Second}}
	if s.String() != want.String() {
		t.Errorf("read\n%s\nwant\n%s", &s, &want)
	}
	if s, err := read(t, `{"edge":{"runs":2}}`); err != nil || s.Edge.Runs != 2 {
		t.Errorf("JSON: %v, %+v", err, s.Edge)
	}
	if s, err := read(t, " \n"); err != nil || s.String() != func() string { d := Default(); return d.String() }() {
		t.Errorf("nothing: %v", err)
	}
}

func TestAWrongScenarioIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"edges: 3":           "unknown",
		"edge: {sockets: 0}": "edge.sockets",
		"edge: {sockets: 18000, siblings: 1, residents: 1}": "a sibling would get",
		"office: {clients: 30000, addresses: 1}":            "office.addresses",
		"office: {region: atlantis}":                        "atlantis",
		"office: {outage: 0s}":                              "office.outage",
		"office: {access: {loss: 2}}":                       "office.access",
		"office: {access: {megabits: .nan}}":                "office.access",
		"office: {accept_rate: .nan}":                       "office.accept_rate",
		"office: {variants: []}":                            "office.variants",
		"office: {variants: [{name: a}, {name: a}]}":        "a name of its own",
		"office: {variants: [{name: a, core_away: -1s}]}":   "core_away",
		"edge: {publishes_per_second: 0}":                   "edge.publishes_per_second",
		"office: {access: {megabits: 1}}":                   "would wait for 34 s",
		"office: {rooms: 0}":                                "office.rooms",
	} {
		if _, err := read(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, and %q should be in it", text, err, want)
		}
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("no file")
	}
}

func TestWrongFlagsAreRefused(t *testing.T) {
	for _, c := range []Command{{Only: []string{"sea"}}, {Sockets: -1}, {Clients: 1 << 20}, {Scenario: "/no/such/file"}} {
		c.Out = t.TempDir()
		if err := c.Run(t.Context(), &config.IO{}); err == nil {
			t.Errorf("%+v runs", c)
		}
	}
}

func TestAQuickScenarioIsTheSameInSmall(t *testing.T) {
	s := Default()
	s.Quick()
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	d := Default()
	if s.Office.AcceptRate/float64(s.Office.Clients) != d.Office.AcceptRate/float64(d.Office.Clients) || s.Edge.Runs != 1 || s.Edge.Sockets != 1000 {
		t.Errorf("%s", &s)
	}
}
