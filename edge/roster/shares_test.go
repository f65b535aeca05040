package roster

import (
	"slices"
	"sync"
	"testing"

	"selvedge/wire"
)

func nowhere(wire.RoomID) bool { return false }

func in(rooms ...wire.RoomID) func(wire.RoomID) bool {
	return func(id wire.RoomID) bool { return slices.Contains(rooms, id) }
}

func shares(t *testing.T, s *Rosters, asker wire.UserID, in func(wire.RoomID) bool, targets ...wire.UserID) []bool {
	t.Helper()
	got, err := s.Shares(t.Context(), asker, in, targets)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestWitnessesAreForEverybody(t *testing.T) {
	bubble(t, plenty, 1, func(t *testing.T, s *Rosters, c *core) {
		c.members("r", 10)
		c.member("other", "z", true)
		settled()
		if got := shares(t, s, "m000001", in("r"), "m000002", "z", "m000003"); !slices.Equal(got, []bool{true, false, true}) {
			t.Errorf("shares %v", got)
		}
		if s.Known("m000002", in("r")) {
			t.Error("an answer is believed before the marker")
		}
		settled()
		asked := len(c.questions(wire.QShares))
		if got := shares(t, s, "m000005", in("r"), "m000002", "m000003"); !slices.Equal(got, []bool{true, true}) {
			t.Errorf("another asker shares %v", got)
		}
		if !s.Known("m000002", in("r")) || s.Known("m000002", nowhere) || s.Known("z", in("r", "other")) || s.Known("nobody", in("r")) {
			t.Error("what is known is not what was told")
		}
		if n := len(c.questions(wire.QShares)) - asked; n != 0 {
			t.Errorf("%d questions for what is known", n)
		}
		shares(t, s, "m000005", in("r"), "z")
		if n := len(c.questions(wire.QShares)) - asked; n != 1 {
			t.Errorf("%d questions for what was not so before", n)
		}
		c.member("r", "m000002", false)
		settled()
		if got := shares(t, s, "m000005", in("r"), "m000002", "m000003"); !slices.Equal(got, []bool{false, true}) {
			t.Errorf("after one has left, shares %v", got)
		}
	})
}

// A leave that comes before the answer that was read before it wins.
func TestLeaveOvertakesAWitness(t *testing.T) {
	bubble(t, plenty, 1, func(t *testing.T, s *Rosters, c *core) {
		c.members("r", 10)
		s.Seed("r", 10, c.end())
		settled()
		open := c.gate(wire.QShares)
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() { shares(t, s, "m000001", in("r"), "m000002") })
		}
		settled()
		c.member("r", "m000002", false)
		settled()
		open()
		wg.Wait()
		if n := len(c.questions(wire.QShares)); n != 1 {
			t.Errorf("%d equal questions", n)
		}
		if s.Known("m000002", in("r")) {
			t.Error("who has left is still known to be there")
		}
	})
}

// A leave between the answer and the interest is seen by the marker.
func TestLeaveBeforeTheInterest(t *testing.T) {
	bubble(t, plenty, 1, func(t *testing.T, s *Rosters, c *core) {
		c.members("r", 10)
		open := c.gate(wire.QShares)
		var wg sync.WaitGroup
		wg.Go(func() { shares(t, s, "m000001", in("r"), "m000002") })
		settled()
		c.member("r", "m000002", false)
		settled()
		open()
		wg.Wait()
		settled()
		if s.Known("m000002", in("r")) {
			t.Error("who has left is still known to be there")
		}
		if got := shares(t, s, "m000001", in("r"), "m000002", "m000003"); !slices.Equal(got, []bool{false, true}) {
			t.Errorf("shares %v", got)
		}
	})
}

// So is one before an interest that somebody else has asked for meanwhile.
func TestLeaveBeforeTheInterestOfAnother(t *testing.T) {
	bubble(t, plenty, 1, func(t *testing.T, s *Rosters, c *core) {
		c.members("r", 10)
		open := c.gate(wire.QShares)
		var wg sync.WaitGroup
		wg.Go(func() { shares(t, s, "m000001", in("r"), "m000002") })
		settled()
		c.member("r", "m000002", false)
		settled()
		s.Seed("r", 9, c.end())
		settled()
		open()
		wg.Wait()
		if s.Known("m000002", in("r")) {
			t.Error("who has left is still known to be there")
		}
	})
}

// A whole room knows of everybody in it.
func TestWholeRoomIsAWitness(t *testing.T) {
	bubble(t, plenty, 1, func(t *testing.T, s *Rosters, c *core) {
		c.members("r", 10)
		search(t, s, "", "r")
		if got := shares(t, s, "x", in("r"), "m000002", "m000009"); !slices.Equal(got, []bool{true, true}) {
			t.Errorf("shares %v", got)
		}
		if n := len(c.questions(wire.QShares)); n != 0 {
			t.Errorf("%d questions", n)
		}
	})
}
