package roster

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"selvedge/wire"
)

func TestSearchRanks(t *testing.T) {
	bubble(t, plenty, 1, func(t *testing.T, s *Rosters, c *core) {
		names := map[wire.UserID]string{
			"U1": "José Álvarez", "U2": "Ann José", "U3": "jose", "U4": "Josefine", "U5": "Zed", "jose": "Quentin",
			"jose9": "Bert", "jose8": "Carl", "U6": "", "U7": "ＪＯＳＥ Z", "U8": "Mary-José Ash", "U9": "Joseph",
		}
		for id, name := range names {
			if name != "" {
				c.name(id, name)
			}
			c.member("r", id, true)
		}
		c.name("X", "José")
		c.member("other", "X", true)
		tests := []struct {
			prefix string
			want   []wire.UserID
		}{
			{"jose", []wire.UserID{"U3", "jose", "U1", "U7", "U4", "U9", "U2", "U8", "jose9", "jose8"}},
			{"  JOSÉ ", []wire.UserID{"U3", "jose", "U1", "U7", "U4", "U9", "U2", "U8", "jose9", "jose8"}},
			{"josé a", []wire.UserID{"U1", "U8"}},
			{"u6", []wire.UserID{"U6"}},
			{"U", []wire.UserID{"U6", "U2", "U3", "U1", "U7", "U4", "U9", "U8", "U5"}},
			{"", []wire.UserID{"U2", "jose9", "jose8", "U3", "U1", "U7", "U4", "U9", "U8", "jose", "U6", "U5"}},
			{"nobody", nil},
		}
		for _, tt := range tests {
			if got := search(t, s, tt.prefix, "r", "r"); !slices.Equal(got, tt.want) {
				t.Errorf("%q: %v, want %v", tt.prefix, got, tt.want)
			}
			for limit := 1; limit <= len(tt.want); limit++ {
				got, _, err := s.Search(t.Context(), []wire.RoomID{"r"}, tt.prefix, limit)
				if err != nil || !slices.Equal(got, tt.want[:limit]) {
					t.Errorf("%q, the first %d: %v, want %v (%v)", tt.prefix, limit, got, tt.want[:limit], err)
				}
			}
		}
		c.name("U3", "Zoë")
		c.name("U1", "")
		c.member("r", "U4", false)
		settled()
		if got := search(t, s, "jos", "r"); slices.Contains(got, "U3") || slices.Contains(got, "U1") || slices.Contains(got, "U4") {
			t.Errorf("found by former names: %v", got)
		}
		if got := search(t, s, "jos", "r", "other"); got[0] != "X" {
			t.Errorf("in two rooms: %v", got)
		}
		if n := len(c.questions(wire.QRoster)); n != 2 {
			t.Errorf("%d rooms were read", n)
		}
	})
}

// A search waits for the names of those who were there before it, and shows
// nobody without.
func TestSearchWaitsForNames(t *testing.T) {
	for _, n := range []int{3, fewMembers + 1} { // looked at one by one, and by the index
		bubble(t, plenty, 1, func(t *testing.T, s *Rosters, c *core) { searchWaits(t, s, c, n) })
	}
}

func searchWaits(t *testing.T, s *Rosters, c *core, n int) {
	c.members("r", n)
	search(t, s, "", "r")
	first, second := make(chan struct{}), make(chan struct{})
	c.do(func() {
		c.hold = func(q *wire.Query) chan struct{} {
			if slices.Contains(q.Keys, "user:y1") {
				return first
			}
			return second
		}
	})
	c.name("y1", "Zoë")
	c.member("r", "y1", true)
	settled()
	var wg sync.WaitGroup
	wg.Go(func() {
		if got := search(t, s, "y", "r"); !slices.Equal(got, []wire.UserID{"y1"}) {
			t.Errorf("found %v", got)
		}
	})
	settled()
	c.name("y2", "Abe")
	c.member("r", "y2", true)
	settled()
	close(first)
	wg.Wait()
	if members, _, _, err := s.Page(t.Context(), "r", "y1", 0); !slices.Equal(members, []wire.UserID{"y2"}) {
		t.Errorf("the page has %v, %v", members, err)
	}
	close(second)
	settled()
	if got := search(t, s, "y", "r"); !slices.Equal(got, []wire.UserID{"y2", "y1"}) {
		t.Errorf("afterwards, found %v", got)
	}
}

// A record that comes after an answer that was read after it takes no name back.
func TestNamesDoNotGoBack(t *testing.T) {
	bubble(t, plenty, 1, func(t *testing.T, s *Rosters, c *core) {
		c.member("r", "u", true)
		c.member("q", "u", true)
		s.Seed("q", 1, c.end())
		search(t, s, "", "r")
		settled()
		c.do(func() { c.stalled = true })
		c.name("u", "Old")
		old := *c.log[c.end()-1]
		c.name("u", "New")
		if got := search(t, s, "new", "q"); len(got) != 1 {
			t.Fatalf("found %v", got)
		}
		s.Record(&old)
		if got := search(t, s, "new", "q", "r"); len(got) != 1 {
			t.Errorf("the former name is back: found %v", got)
		}
		c.do(func() { c.stalled = false })
		settled()
		c.name("u", "Third")
		settled()
		if got := search(t, s, "third", "q"); len(got) != 1 {
			t.Errorf("found %v", got)
		}
	})
}

// The walk through the index finds what looking at each member does.
func TestWalkIsAScan(t *testing.T) {
	s := alone()
	a := team(3000)
	s.fill("general", a)
	for i := range 30 {
		s.fill(wire.RoomID(fmt.Sprint("r", i)), &wire.Answer{V: 1, Members: a.Members[i*90 : i*90+200], Names: a.Names[i*90 : i*90+200]})
	}
	rooms := func(ids ...wire.RoomID) (list []*room) {
		for _, id := range ids {
			r, _ := s.rooms.Peek(id)
			list = append(list, r)
		}
		return list
	}
	for _, among := range [][]*room{rooms("general"), rooms("r1", "r2", "r7"), rooms("r0", "general"), rooms("r29")} {
		for _, prefix := range []string{"", "a", "an", "smi", "u", "u0000", "u00012", "u0000123", "z", "jo sm", "x"} {
			for _, limit := range []int{1, 7, 100, 1000} {
				walked := &hits{prefix: prefix, limit: limit, in: s.amongLocked(among)}
				w := walk{index: &s.index, hits: walked, most: 1 << 30}
				if !w.run() {
					t.Fatal("the walk gave up")
				}
				scanned := &hits{prefix: prefix, limit: limit, in: func(*user) bool { return true }}
				for _, r := range among {
					r.members.Ascend(func(u *user) bool { scanned.offer(u, scanned.class(u)); return true })
				}
				if !slices.Equal(walked.best, scanned.best) {
					t.Errorf("%q in %d rooms, the first %d: the walk finds %d others", prefix, len(among), limit, len(walked.best))
				}
				if w := (walk{index: &s.index, hits: &hits{prefix: "u", limit: 1000, in: walked.in}, most: 10}); w.run() || w.steps > 15 {
					t.Errorf("a walk of 10 steps made %d", w.steps)
				}
			}
		}
	}
}

func TestSearchLeavesOutWhatIsTooMuch(t *testing.T) {
	bubble(t, plenty, 1, func(t *testing.T, s *Rosters, c *core) {
		s.bound = 50
		c.members("huge", 51)
		c.members("large", 40)
		c.member("small", "s1", true)
		c.members("middle", 20)
		settled()
		for id, n := range map[wire.RoomID]int{"huge": 51, "large": 40, "small": 1, "middle": 20} {
			s.Seed(id, n, c.end())
		}
		settled()
		if got := search(t, s, "", "small", "large", "huge", "middle"); len(got) != 41 || !slices.Contains(got, "s1") {
			t.Errorf("%d found: %v", len(got), got)
		}
		if n := len(c.questions(wire.QRoster)); n != 2 {
			t.Errorf("%d rooms were read", n)
		}
		s.Reset() // nothing is known of their sizes
		if got := search(t, s, "", "huge"); len(got) != 0 {
			t.Errorf("found %v", got)
		}
	})
}

func TestSearchInManyRooms(t *testing.T) {
	bubble(t, plenty, 1, func(t *testing.T, s *Rosters, c *core) {
		var rooms []wire.RoomID
		for i := range 3 * maxReads / 2 {
			id := wire.RoomID(fmt.Sprintf("r%03d", i))
			c.member(id, wire.UserID(fmt.Sprint("u", i)), true)
			rooms = append(rooms, id)
		}
		for _, want := range []int{maxReads, 3 * maxReads / 2} {
			got, _, err := s.Search(t.Context(), rooms, "", wire.MaxPage)
			if err != nil || len(got) != want {
				t.Errorf("%d found, %v; want %d", len(got), err, want)
			}
		}
		if n := len(c.questions(wire.QRoster)); n != len(rooms) {
			t.Errorf("%d questions for %d rooms", n, len(rooms))
		}
	})
}
