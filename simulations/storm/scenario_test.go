package storm

import (
	"testing"
	"time"

	"selvedge/internal/config"
	"selvedge/simulations/scenario"
	"selvedge/simulations/scenario/scenariotest"
)

// A file's variants are all that there are, and none has anything of a default one.
func TestVariantsAreTheFiles(t *testing.T) {
	s, want := Default(), Default()
	if err := scenario.Read([]byte("edge: {siblings: 3}\noffice:\n  outage: 90s\n  variants:\n    - {name: told, told: true, core_away: 5s}\n"), &s); err != nil {
		t.Fatal(err)
	}
	want.Edge.Siblings, want.Office.Outage, want.Office.Variants = 3, 90*time.Second, []Variant{{Name: "told", Told: true, CoreAway: 5 * time.Second}}
	if s.String() != want.String() {
		t.Errorf("read\n%s\nwant\n%s", &s, &want)
	}
}

func TestScenarios(t *testing.T) {
	scenariotest.Run(t, Default, map[string]string{
		"edges: 3":           "unknown",
		"edge: {sockets: 0}": "edge.sockets",
		"edge: {sockets: 18000, siblings: 1, residents: 1}": "a sibling would get",
		"office: {clients: 30000, addresses: 1}":            "office.addresses",
		"office: {region: atlantis}":                        "atlantis",
		"office: {outage: 0s}":                              "office.outage",
		"office: {access: {loss: 2}}":                       "office.access",
		"office: {access: {megabits: .nan}}":                "office.access",
		"office: {access: {megabits: .inf}}":                "office.access",
		"office: {accept_rate: .nan}":                       "office.accept_rate",
		"office: {accept_rate: 1e-10}":                      "office.accept_rate",
		"office: {publishes_per_second: 1e-10}":             "office.publishes_per_second",
		"office: {variants: [{name: a, megabits: .inf}]}":   "megabits",
		"office: {variants: [{name: a, megabits: .nan}]}":   "megabits",
		"office: {variants: []}":                            "office.variants",
		"office: {variants: [{name: a}, {name: a}]}":        "a name of its own",
		"office: {variants: [{name: a, core_away: -1s}]}":   "core_away",
		"edge: {publishes_per_second: 0}":                   "edge.publishes_per_second",
		"edge: {publishes_per_second: 1e-10}":               "edge.publishes_per_second",
		"office: {access: {megabits: 1}}":                   "would wait for 34 s",
		"office: {rooms: 0}":                                "office.rooms",
	})
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
	s, d := Default(), Default()
	s.Quick()
	if s.Office.AcceptRate/float64(s.Office.Clients) != d.Office.AcceptRate/float64(d.Office.Clients) || s.Edge.Runs != 1 || s.Edge.Sockets != 1000 {
		t.Errorf("%s", &s)
	}
}
