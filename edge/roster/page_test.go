package roster

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"selvedge/edge/upstream"
	"selvedge/wire"
)

func TestSmallRoomIsReadWholeOnce(t *testing.T) {
	bubble(t, plenty, 1, func(t *testing.T, s *Rosters, c *core) {
		c.members("r", 1000)
		s.Seed("r", 1000, c.end())
		settled()
		if n, _, ok := s.Count("r"); n != 1000 || !ok {
			t.Errorf("%d members are counted, %v", n, ok)
		}
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				var all []wire.UserID
				for after := ""; ; {
					members, next, n, err := s.Page(t.Context(), "r", wire.UserID(after), 300)
					if err != nil || n != 1000 {
						t.Errorf("a page of %d: %v", n, err)
						return
					}
					all = append(all, members...)
					if after = next; after == "" {
						break
					}
				}
				if len(all) != 1000 || !slices.IsSorted(all) {
					t.Errorf("%d members in all", len(all))
				}
			})
		}
		wg.Wait()
		if n, m := len(c.questions(wire.QRoster)), len(c.questions(wire.QMembers)); n != 1 || m != 0 {
			t.Errorf("the room was read %d times whole, %d times by page", n, m)
		}
	})
}

func TestLargeRoomPassesThrough(t *testing.T) {
	bubble(t, plenty, 1, func(t *testing.T, s *Rosters, c *core) {
		c.members("r", wholeRoom+1)
		open := c.gate(wire.QMembers)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				members, next, n, err := s.Page(t.Context(), "r", "m000010", 2)
				want := []wire.UserID{"m000011", "m000012"}
				if err != nil || !slices.Equal(members, want) || next != "m000012" || n != wholeRoom+1 {
					t.Errorf("%v, next %q, of %d, %v", members, next, n, err)
				}
			})
		}
		settled()
		open()
		wg.Wait()
		if n := len(c.questions(wire.QMembers)); n != 1 {
			t.Errorf("%d questions for one page", n)
		}
		settled()
		if n, _, ok := s.Count("r"); n != wholeRoom+1 || !ok {
			t.Errorf("the page's count was not kept: %d, %v", n, ok)
		}
	})
}

// Who shares an answer must not get one from before what had come already.
func TestSharedAnswerIsNotTooOld(t *testing.T) {
	bubble(t, plenty, 1, func(t *testing.T, s *Rosters, c *core) {
		c.members("r", wholeRoom+1)
		settled()
		open := c.gate(wire.QMembers)
		var wg sync.WaitGroup
		ask := func(want int) {
			wg.Go(func() {
				if _, _, n, err := s.Page(t.Context(), "r", "", 2); n != want || err != nil {
					t.Errorf("%d members, %v; want %d", n, err, want)
				}
			})
		}
		ask(wholeRoom + 1)
		settled()
		c.member("r", "x", true)
		settled() // it has come here
		ask(wholeRoom + 2)
		settled()
		open()
		wg.Wait()
	})
}

func TestCountsBySeed(t *testing.T) {
	bubble(t, plenty, 1, func(t *testing.T, s *Rosters, c *core) {
		c.members("r", 3)
		c.members("q", 5)
		read := c.end()
		c.member("q", "x", true) // before the interest
		settled()
		s.Seed("r", 3, read)
		s.Seed("q", 5, read)
		if _, _, ok := s.Count("r"); ok {
			t.Error("a count is believed before the marker")
		}
		settled()
		if n, _, ok := s.Count("r"); n != 3 || !ok {
			t.Errorf("%d members, %v", n, ok)
		}
		if n, _, ok := s.Count("q"); ok {
			t.Errorf("%d members are believed, of before a change", n)
		}
		s.Seed("q", 5, read)
		if n, _, ok := s.Count("q"); ok {
			t.Errorf("%d members are believed, read before the interest", n)
		}
		s.Seed("q", 6, c.end())
		if n, _, ok := s.Count("q"); n != 6 || !ok {
			t.Errorf("%d members, %v, read after the interest", n, ok)
		}
		c.member("r", "x", true)
		c.member("r", "x", false)
		c.member("r", "y", true)
		settled()
		if n, _, ok := s.Count("r"); n != 4 || !ok {
			t.Errorf("%d members, %v, after the records", n, ok)
		}
	})
}

// The room that was not used for longest goes, with its interest.
func TestEviction(t *testing.T) {
	bubble(t, 20*(roomBytes+3), 1, func(t *testing.T, s *Rosters, c *core) {
		id := func(i int) wire.RoomID { return wire.RoomID(fmt.Sprintf("r%02d", i)) }
		for i := range 20 {
			s.Seed(id(i), i, 0)
			settled()
		}
		for i := range 10 {
			if _, _, ok := s.Count(id(i)); !ok {
				t.Fatalf("room %d went too soon", i)
			}
		}
		for i := 20; i < 30; i++ {
			s.Seed(id(i), i, 0)
			settled()
		}
		for i := range 30 {
			n, _, ok := s.Count(id(i))
			if used := i < 10 || i >= 20; ok != used || ok && n != i {
				t.Errorf("room %d: %d members, %v", i, n, ok)
			}
		}
		if n := c.interests(); n != 20 {
			t.Errorf("%d interests are held", n)
		}
	})
}

// An answer that was asked for before a reset says nothing of the new logs.
func TestAnswerOfFormerLogs(t *testing.T) {
	bubble(t, plenty, 1, func(t *testing.T, s *Rosters, c *core) {
		c.members("r", 10)
		open := c.gate(wire.QMembers)
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, _, n, err := s.Page(t.Context(), "r", "", 2); !errors.Is(err, upstream.ErrUnavailable) {
				t.Errorf("a page of %d members, %v", n, err)
			}
		})
		settled()
		s.Reset()
		open()
		wg.Wait()
		settled()
		if n := c.interests(); n != 0 || s.Bytes() != 0 {
			t.Errorf("%d interests and %d bytes of the former logs", n, s.Bytes())
		}
	})
}
