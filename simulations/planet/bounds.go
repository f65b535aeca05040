package planet

import (
	"errors"
	"fmt"
	"slices"
)

// Bounds of a scenario: one within them is reckoned in minutes, and overflows nothing.
const (
	maxSizes   = 12
	minUsers   = 1e6 // more than any room has
	maxUsers   = 1e11
	maxEdges   = 100_000
	maxDraws   = 10_000
	maxRegions = 40
	maxClasses = 20
	maxFigure  = 1e9
	maxLogs    = 4096
)

// Check implements scenario.Scenario.
func (s *Scenario) Check() error {
	_, err := s.regions()
	within := func(name string, v, least, most float64) error {
		if v >= least && v <= most { // false for NaN
			return nil
		}
		return fmt.Errorf("%s: %v: want %v to %v", name, v, least, most)
	}
	err = errors.Join(
		err, s.checkSizes(), s.checkRegions(), s.checkRooms(), s.People.check(),
		within("draws", float64(s.Draws), 1, maxDraws),
		within("cores", float64(s.Cores), 1, 100),
		within("logs", float64(s.Logs), 1, maxLogs),
		within("log_bytes", s.LogBytes, 1, 1e15),
		within("target", s.Target, 0.01, 1),
		within("most_edges", float64(s.MostEdges), float64(len(s.Regions)), maxEdges),
		within("keep_minutes", s.KeepMinutes, 0.01, 1e6),
		within("recover_hours", s.RecoverHours, 0.001, 1e6),
	)
	for name, m := range map[string]Machine{"edge_machine": s.EdgeMachine, "core_machine": s.CoreMachine} {
		err = errors.Join(
			err, within(name+".cpus", m.CPUs, 0.1, 10_000), within(name+".gib", m.GiB, 0.1, 1e6), within(name+".gbit", m.Gbit, 0.001, 1e5),
			within(name+".disk_mb", m.DiskMB, 0, 1e6), within(name+".sockets", m.Sockets, 0, maxFigure),
		)
	}
	if s.CoreMachine.DiskMB == 0 || s.EdgeMachine.Sockets == 0 {
		err = errors.Join(err, errors.New("core_machine.disk_mb, edge_machine.sockets: want more than 0"))
	}
	return err
}

func (s *Scenario) checkSizes() error {
	if n, m := len(s.Users), len(s.Edges); n < 2 || n > maxSizes || m < 2 || m > maxSizes {
		return fmt.Errorf("users, edges: want 2 to %d sizes of each", maxSizes)
	}
	for i, u := range s.Users {
		if !(u >= minUsers && u <= maxUsers) || i > 0 && u <= s.Users[i-1] {
			return fmt.Errorf("users: %v: want rising numbers of %v to %v", s.Users, float64(minUsers), float64(maxUsers))
		}
	}
	for i, e := range s.Edges {
		if e < len(s.Regions) || e > maxEdges || i > 0 && e <= s.Edges[i-1] {
			return fmt.Errorf("edges: %v: want rising numbers, one for each region at least, at most %d", s.Edges, maxEdges)
		}
	}
	return nil
}

func (s *Scenario) checkRegions() error {
	if n := len(s.Regions); n < 2 || n > maxRegions {
		return fmt.Errorf("regions: want 2 to %d", maxRegions)
	}
	sum, names := 0.0, []string{}
	for _, r := range s.Regions {
		if !(r.Share > 0 && r.Share <= 1) || slices.Contains(names, r.Region) {
			return fmt.Errorf("regions: %+v: want a share of more than 0, and each region once", r)
		}
		sum, names = sum+r.Share, append(names, r.Region)
	}
	if !slices.Contains(names, s.Core) {
		return fmt.Errorf("core: %q is not among the regions", s.Core)
	}
	return whole("regions", sum)
}

func (s *Scenario) checkRooms() error {
	if n := len(s.Rooms); n < 1 || n > maxClasses {
		return fmt.Errorf("rooms: want 1 to %d classes", maxClasses)
	}
	sum := 0.0
	for _, c := range s.Rooms {
		if c.Name == "" || !(c.Share >= 0 && c.Share <= 1) || !(c.Members >= 1 && c.Members <= minUsers) || !(c.Spread >= 1 && c.Spread <= 100) {
			return fmt.Errorf("rooms: %+v: want a name, a share, 1 to 1e6 members, a spread of 1 to 100", c)
		}
		sum += c.Share
	}
	return whole("rooms", sum)
}

func whole(name string, sum float64) error {
	if !(sum > 0.9999 && sum < 1.0001) {
		return fmt.Errorf("%s: the shares make %v, and should make 1", name, sum)
	}
	return nil
}

func (p *People) check() error {
	for _, k := range p.all() {
		r := k.of
		if !(r.Low > 0 && r.Low <= r.Mid && r.Mid <= r.High && r.High <= k.most) || r.Source == "" {
			return fmt.Errorf("people.%s: %+v: want low, mid and high, rising, more than 0, at most %v, and a source", k.name, *r, k.most)
		}
	}
	return nil
}

// known is one of the uncertain figures, and what it can't be more than.
type known struct {
	name string
	of   *Range
	most float64
}

// all are the uncertain figures, in the order of the file.
func (p *People) all() []known {
	return []known{
		{"online", &p.Online, 1},
		{"at_night", &p.AtNight, 1},
		{"sessions", &p.Sessions, 100},
		{"messages", &p.Messages, 1e5},
		{"bytes", &p.Bytes, 1 << 20},
		{"locality", &p.Locality, 1},
		{"room_size", &p.RoomSize, 1000},
		{"reconnects", &p.Reconnects, 3600},
		{"questions", &p.Questions, 1000},
		{"rooms", &p.Rooms, 1e5},
		{"joins", &p.Joins, 1e5},
	}
}
