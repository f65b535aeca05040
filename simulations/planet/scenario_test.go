package planet

import (
	"testing"

	"selvedge/simulations/scenario"
	"selvedge/simulations/scenario/scenariotest"
)

func TestScenarios(t *testing.T) {
	scenariotest.Run(t, Default, map[string]string{
		"drawz: 4":                              "drawz",
		"people: {mesages: {mid: 5}}":           "mesages",
		"people: {online: {high: 1.5}}":         "people.online",
		"people: {online: {low: 0.5}}":          "people.online",
		"people: {online: {mid: .nan}}":         "people.online",
		"people: {online: {source: \"\"}}":      "people.online",
		"draws: 0":                              "draws",
		"draws: 1000000":                        "draws",
		"users: [1e7]":                          "users",
		"users: [1e8, 1e7]":                     "rising",
		"users: [1e7, 1e99]":                    "rising",
		"edges: [5, 20]":                        "one for each region",
		"core: atlantis":                        `"atlantis" is not among`,
		"regions: [{region: eastsu, share: 1}]": "eastsu",
		"rooms: [{name: x, share: 0.5}]":        "rooms",
		"rooms: []":                             "rooms: want 1 to",
		"target: 0":                             "target",
		"edge_machine: {cpus: -1}":              "edge_machine.cpus",
		"core_machine: {disk_mb: 0}":            "disk_mb",
		"logs: 0":                               "logs",
		"[1, 2":                                 "[",
	})
}

// A scenario that is taken can be reckoned, and gives numbers.
func FuzzScenario(f *testing.F) {
	def := Default()
	f.Add([]byte(def.String()))
	f.Add([]byte(`{"people": {"messages": {"mid": 5}}}`))
	f.Add([]byte("rooms: [{name: all, share: 1, members: 1000000, spread: 100}]\nmost_edges: 100000\n"))
	c, err := Frozen()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s := Default()
		if scenario.Read(text, &s) != nil {
			return
		}
		a, err := newAtlas(&s)
		if err != nil {
			t.Fatalf("a scenario that was taken has no atlas: %v", err)
		}
		fact := middle(&s, &c)
		z := &sizing{&s, a, &fact}
		per := a.spread(s.Edges[0])
		for r, v := range z.needs(a.day(&fact, per), s.Users[0], per) {
			if !(v >= 0) {
				t.Errorf("%s: %v", Resource(r).name(), v)
			}
		}
	})
}
