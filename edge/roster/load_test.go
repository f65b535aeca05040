package roster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/edge/upstream"
	"selvedge/wire"
)

const plenty = 1 << 30

// members makes a room of n members at once.
func (c *core) members(room wire.RoomID, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := roomVersion{}
	for i := range n {
		id := wire.UserID(fmt.Sprintf("m%06d", i))
		v.v = c.appendLocked(&wire.StateRecord{Kind: wire.StateMember, Room: room, User: id})
		v.members = append(v.members, id)
	}
	c.rooms[room] = append(c.rooms[room], v)
}

// gate holds answers of a kind back until it is opened.
func (c *core) gate(kind wire.QueryKind) (open func()) {
	ch := make(chan struct{})
	c.do(func() {
		c.hold = func(q *wire.Query) chan struct{} {
			if q.T == kind {
				return ch
			}
			return nil
		}
	})
	return func() {
		c.do(func() { c.hold = nil })
		close(ch)
	}
}

// settled lets everything happen that is under way.
func settled() {
	time.Sleep(time.Second)
	synctest.Wait()
}

func search(t *testing.T, s *Rosters, prefix string, rooms ...wire.RoomID) []wire.UserID {
	t.Helper()
	ids, _, err := s.Search(t.Context(), rooms, prefix, 0)
	if err != nil {
		t.Fatalf("search %q: %v", prefix, err)
	}
	return ids
}

func TestChangesDuringALoad(t *testing.T) {
	bubble(t, plenty, 1, func(t *testing.T, s *Rosters, c *core) {
		c.members("r", 10)
		settled()
		c.do(func() { c.pages = 4 })
		open := c.gate(wire.QRoster)
		var wg sync.WaitGroup
		wg.Go(func() {
			if got := search(t, s, "", "r"); len(got) != 10 {
				t.Errorf("%d found: %v", len(got), got)
			}
		})
		settled() // the first page is read, and on its way
		c.member("r", "m000001", false)
		c.member("r", "a", true)
		c.name("m000002", "Zoë")
		settled()
		open()
		wg.Wait()
		settled()
		if got := search(t, s, "zoe", "r"); !slices.Equal(got, []wire.UserID{"m000002"}) {
			t.Errorf("found %v by the name that came during the load", got)
		}
		members, _, n, err := s.Page(t.Context(), "r", "", 3)
		if want := []wire.UserID{"a", "m000000", "m000002"}; err != nil || n != 10 || !slices.Equal(members, want) {
			t.Errorf("members %v of %d, %v; want %v of 10", members, n, err, want)
		}
	})
}

// Pages of different moments are no answer before the stream has joined them.
func TestPagesAreOfOneMoment(t *testing.T) {
	bubble(t, plenty, 1, func(t *testing.T, s *Rosters, c *core) {
		c.members("r", 10)
		s.Seed("r", 10, c.end())
		settled()
		c.do(func() { c.pages = 5 })
		open := c.gate(wire.QRoster)
		var wg sync.WaitGroup
		done := false
		wg.Go(func() {
			if _, _, n, err := s.Page(t.Context(), "r", "", 0); n != 8 || err != nil {
				t.Errorf("%d members, %v", n, err)
			}
			done = true
		})
		settled()
		c.do(func() { c.stalled = true })
		c.member("r", "m000001", false) // in the page that is on its way
		c.member("r", "m000008", false) // in the next one
		open()
		settled()
		if done {
			t.Error("there is an answer of no moment")
		}
		c.do(func() { c.stalled = false })
		wg.Wait()
	})
}

func TestAskerThatLeavesSpoilsNothing(t *testing.T) {
	bubble(t, plenty, 1, func(t *testing.T, s *Rosters, c *core) {
		c.members("r", 10)
		open := c.gate(wire.QRoster)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, _, err := s.Search(ctx, []wire.RoomID{"r"}, "", 0); !errors.Is(err, context.Canceled) || !errors.Is(err, upstream.ErrUnavailable) {
				t.Errorf("an asker that left has %v", err)
			}
		})
		for range 10 {
			wg.Go(func() {
				if got := search(t, s, "", "r"); len(got) != 10 {
					t.Errorf("found %v", got)
				}
			})
		}
		settled()
		cancel()
		settled()
		open()
		wg.Wait()
		if n := len(c.questions(wire.QRoster)); n != 1 {
			t.Errorf("%d questions were asked", n)
		}
	})
}

func TestFailedLoad(t *testing.T) {
	bubble(t, plenty, 1, func(t *testing.T, s *Rosters, c *core) {
		c.members("r", 10)
		c.do(func() { c.fail = upstream.ErrUnavailable })
		if _, _, err := s.Search(t.Context(), []wire.RoomID{"r"}, "", 0); !errors.Is(err, upstream.ErrUnavailable) {
			t.Errorf("a search without a core: %v", err)
		}
		settled()
		if n := c.interests(); n != 0 {
			t.Errorf("%d interests are held for nothing", n)
		}
		c.do(func() { c.fail = nil })
		if got := search(t, s, "", "r", "nowhere"); len(got) != 10 {
			t.Errorf("afterwards, found %v", got)
		}
		refused := new(RefusedError)
		if _, _, _, err := s.Page(t.Context(), "nowhere", "", 0); !errors.As(err, &refused) || refused.Code != wire.NotFound {
			t.Errorf("a page of a room that doesn't exist: %v", err)
		}
	})
}

// A bulk of members is read by pages with their names, not document by document.
func TestBulkJoinOfAWholeRoom(t *testing.T) {
	bubble(t, plenty, 1, func(t *testing.T, s *Rosters, c *core) {
		c.members("r", 10)
		if got := search(t, s, "", "r"); len(got) != 10 {
			t.Fatalf("found %v", got)
		}
		open := c.gate(wire.QGet)
		c.do(func() {
			list := c.rooms["r"]
			members := slices.Clone(list[0].members)
			for i := range 2 * maxUnsure {
				id := wire.UserID(fmt.Sprintf("n%06d", i))
				members = append(members, id)
				v := c.appendLocked(&wire.StateRecord{Kind: wire.StateMember, Room: "r", User: id})
				list = append(list, roomVersion{v, slices.Clip(members)})
			}
			c.rooms["r"] = list
		})
		settled()
		open()
		settled()
		got, _, err := s.Search(t.Context(), []wire.RoomID{"r"}, "n", wire.MaxPage)
		if err != nil || len(got) != wire.MaxPage {
			t.Errorf("%d found, %v", len(got), err)
		}
		if _, _, n, err := s.Page(t.Context(), "r", "", 1); n != 2*maxUnsure+10 || err != nil {
			t.Errorf("%d members, %v", n, err)
		}
		if n := len(c.questions(wire.QRoster)); n != 2 {
			t.Errorf("the room was read %d times", n)
		}
	})
}

func TestResetDuringALoad(t *testing.T) {
	bubble(t, plenty, 1, func(t *testing.T, s *Rosters, c *core) {
		c.members("r", 10)
		open := c.gate(wire.QRoster)
		var wg sync.WaitGroup
		wg.Go(func() {
			if got := search(t, s, "", "r"); len(got) != 0 {
				t.Errorf("found %v, of the old logs", got)
			}
		})
		settled()
		s.Reset()
		c.do(func() { // the new logs have another room of that name
			c.rooms["r"] = append(c.rooms["r"], roomVersion{wire.Seq(len(c.log)), nil})
			c.hold = nil
		})
		settled()
		open()
		wg.Wait()
		s.Reset()
		if n := c.interests(); n != 0 || s.Bytes() != 0 {
			t.Errorf("%d interests and %d bytes are left", n, s.Bytes())
		}
	})
}
