package mega

import (
	"strings"
	"testing"
)

func TestSizesAreChecked(t *testing.T) {
	for what, change := range map[string]func(s *Scenario){
		"":                                   func(*Scenario) {},
		"mega.edges":                         func(s *Scenario) { s.Mega.Edges = 0 },
		"mega.regions":                       func(s *Scenario) { s.Mega.Regions = 41 },
		"mega.sockets_per_edge":              func(s *Scenario) { s.Mega.SocketsPerEdge = 18_001 },
		"mega.edges x mega.sockets_per_edge": func(s *Scenario) { s.Mega.SocketsPerEdge = 1001 },
		"mega.in_flight":                     func(s *Scenario) { s.Mega.InFlight = 0 },
		"mega.message_bytes":                 func(s *Scenario) { s.Mega.MessageBytes = -1 },
		"mega.publishes":                     func(s *Scenario) { s.Mega.Publishes = 0 },
		"mega.gateways":                      func(s *Scenario) { s.Mega.Gateways = 0 },
		"mega.idle":                          func(s *Scenario) { s.Mega.Idle = 0 },
		"rooms.members":                      func(s *Scenario) { s.Rooms.Members = 100_001 },
		"rooms.sockets: 101, want 1 to 100":  func(s *Scenario) { s.Rooms.Members, s.Rooms.Sockets = 100, 101 },
		"rooms.edges":                        func(s *Scenario) { s.Rooms.Edges = 0 },
		"rooms.message_bytes":                func(s *Scenario) { s.Rooms.MessageBytes = 1 << 20 },
		"rooms.publishes":                    func(s *Scenario) { s.Rooms.Publishes = 0 },
		"rooms.at_once":                      func(s *Scenario) { s.Rooms.AtOnce = 257 },
		"rooms.batch: 500, want 1 to 256":    func(s *Scenario) { s.Rooms.MessageBytes = 32 << 10 },
		"rooms.most: 601":                    func(s *Scenario) { s.Rooms.Most = 601 },
		"rooms.most: NaN":                    func(s *Scenario) { s.Rooms.Most = nan() },
	} {
		s := Default()
		change(&s)
		if err := s.Check(); what == "" && err != nil || what != "" && (err == nil || !strings.Contains(err.Error(), what)) {
			t.Errorf("%s: %v", what, err)
		}
	}
	s := Default()
	s.Quick()
	if err := s.Check(); err != nil || s.Mega.sockets() > 1000 || s.Rooms.Members > 2000 {
		t.Errorf("a quick one: %+v, %v", s, err)
	}
}

func nan() float64 { zero := 0.0; return zero / zero }

func TestASpreadIsOfItsValues(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   Spread
		text   string
	}{
		{nil, Spread{}, "0"},
		{[]float64{3}, Spread{Median: 3, Min: 3, Max: 3}, "3.00"},
		{[]float64{9, 1, 4}, Spread{Median: 4, Min: 1, Max: 9}, "4.00 [1.00 to 9.00]"},
		{[]float64{400, 10, 20, 30}, Spread{Median: 25, Min: 10, Max: 400}, "25.0 [10.0 to 400]"},
	} {
		got := spread(c.values)
		if got.Median != c.want.Median || got.Min != c.want.Min || got.Max != c.want.Max || len(got.Values) != len(c.values) || got.Values == nil || got.String() != c.text {
			t.Errorf("%v: %+v, %s", c.values, got, got)
		}
	}
}
