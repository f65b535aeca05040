package fanout

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/edge/cache"
	"selvedge/wire"
)

// focus asks for a focus; nil rooms are all. The reply has the rooms that are
// late, and from where.
func (p *peer) focus(id uint64, rooms []*cache.Channel) {
	p.refocus(id, rooms, nil)
	synctest.Wait()
}

// refocus is focus, which may be on its way yet; absent are rooms that are not joined.
func (p *peer) refocus(id uint64, rooms []*cache.Channel, absent []wire.Channel) {
	names := []wire.Channel{}
	for _, ch := range rooms {
		names = append(names, ch.Name)
	}
	p.sock.Focus(rooms, absent, rooms == nil, func(late map[wire.Channel]wire.Seq) []byte {
		packets, err := Encode(struct {
			T    string                    `json:"t"`
			ID   uint64                    `json:"id"`
			Late map[wire.Channel]wire.Seq `json:"late"`
			Show []wire.Channel            `json:"show"`
			All  bool                      `json:"all"`
		}{wire.TReply, id, late, names, rooms == nil})
		if err != nil {
			p.r.t.Error(err)
		}
		return packets[p.codec]
	})
}

func activity(ch wire.Channel, seq wire.Seq) string { return fmt.Sprint("activity ", ch, " ", seq) }

func live(ch wire.Channel, seq wire.Seq) string { return fmt.Sprint("live ", ch, " ", seq) }

func only(chs ...*cache.Channel) []*cache.Channel { return append([]*cache.Channel{}, chs...) }

// A session with a focus gets the frames of these rooms, of topics and of its
// inbox; of the rest of its rooms it is told, at most once per interval.
func TestFocus(t *testing.T) {
	bubble(t, rigConfig{}, func(r *rig) {
		a, b, tp, in := r.hold(room(0, 0)), r.hold(room(0, 1)), r.hold(topic(0, 0)), r.hold("inbox:ann")
		ann := r.start(wire.JSON, &Start{
			User: "ann", Rooms: r.rooms(a, b, in), Topics: only(tp), Focus: only(a), Focused: true,
		})
		bob := r.enter("bob", wire.JSON, a, b)
		for _, ch := range []*cache.Channel{a, b, tp} {
			r.publish(ch.Name, 2)
		}
		inbox := r.publish(in.Name, 1)[0]
		ann.expect(slices.Concat(frames(a.Name, 1, 2), []string{activity(b.Name, 3)}, frames(tp.Name, 5, 6), frames(in.Name, inbox))...)
		bob.expect(slices.Concat(frames(a.Name, 1, 2), frames(b.Name, 3, 4))...)
		sig, err := Encode(wire.Signal{T: wire.TSignal, Ch: b.Name})
		if err != nil {
			t.Fatal(err)
		}
		r.e.Signal(b, "cat", sig) // who types there is not on screen
		ann.expect()
		bob.expect(wire.TSignal)
	})
}

// A room that gains the focus comes from where it lost it, as a late channel; the
// others never wait.
func TestFocusGained(t *testing.T) {
	bubble(t, rigConfig{}, func(r *rig) {
		a, b, c := r.hold(room(0, 0)), r.hold(room(0, 1)), r.hold(room(0, 2))
		ann := r.enter("ann", wire.JSON, a, b, c)
		r.publish(a.Name, 1)
		r.publish(b.Name, 1)
		ann.focus(1, only(a))
		r.publish(b.Name, 1)
		r.publish(a.Name, 1)
		r.publish(b.Name, 1)
		ann.expect(slices.Concat(frames(a.Name, 1), frames(b.Name, 2), []string{"reply 1 map[]", activity(b.Name, 3)}, frames(a.Name, 4))...)
		ann.focus(2, only(b, c))
		ann.expect("reply 2 "+fmt.Sprint(map[wire.Channel]wire.Seq{b.Name: 2, c.Name: 2}),
			back(b.Name, 3)[0], back(b.Name, 5)[0], live(b.Name, 5), live(c.Name, 5))
		r.publish(a.Name, 1)
		r.publish(b.Name, 1)
		r.publish(c.Name, 1)
		ann.expect(activity(a.Name, 6), frames(b.Name, 7)[0], frames(c.Name, 8)[0])
		ann.focus(3, nil) // c and b have nothing to catch up on
		ann.expect("reply 3 "+fmt.Sprint(map[wire.Channel]wire.Seq{a.Name: 5}), back(a.Name, 6)[0], live(a.Name, 8))
		ann.focus(4, nil)
		ann.expect("reply 4 map[]")
		r.inside(func(s *shard) {
			for k := range s.wheel.sockets() {
				if k.extra != nil {
					t.Errorf("a session without a focus keeps %+v", k.extra)
				}
			}
		})
		r.publish(a.Name, 1)
		ann.expect(frames(a.Name, 9)...)
	})
}

// A room that loses the focus in the middle of its back frames goes on in the
// middle; while the cache lacks what it needs, other rooms don't wait.
func TestFocusLostInTheMiddle(t *testing.T) {
	bubble(t, rigConfig{Config: Config{Budget: 2000}, sendBuffer: 256}, func(r *rig) {
		a, b := r.hold(room(0, 0)), r.hold(room(0, 1))
		ann := r.start(wire.JSON, &Start{User: "ann", Rooms: r.rooms(a, b), Focused: true})
		r.publish(a.Name, 100)
		r.publish(b.Name, 1)
		ann.expect(activity(a.Name, 1), activity(b.Name, 101))
		ann.deaf()
		ann.focus(1, only(a))
		ann.focus(2, only(b))
		ann.focus(3, only(a))
		ann.hears()
		pass(5 * time.Second)
		n := 0
		for _, h := range ann.take() {
			switch {
			case strings.HasSuffix(h, "back") && strings.HasPrefix(h, string(a.Name)):
				if n++; h != back(a.Name, wire.Seq(n))[0] {
					t.Fatalf("%s where %d is next", h, n)
				}
			case strings.HasPrefix(h, "reply 3"):
				if want := fmt.Sprint("reply 3 ", map[wire.Channel]wire.Seq{a.Name: wire.Seq(n)}); h != want || n == 0 || n == 100 {
					t.Errorf("%s after %d", h, n)
				}
			}
		}
		if n != 100 {
			t.Errorf("%d of 100 frames came", n)
		}
	})
}

// A room that gained the focus, and lost it before the cache had what it needs,
// is where it was left, whatever the focus was meanwhile.
func TestFocusLostBeforeItsTurn(t *testing.T) {
	bubble(t, rigConfig{}, func(r *rig) {
		hangs, _ := r.cache.Acquire(room(0, 0))
		b := r.hold(room(0, 1))
		r.publish(b.Name, 3)
		ann := r.start(wire.JSON, &Start{User: "ann", Rooms: r.rooms(hangs, b), Focused: true})
		r.publish(hangs.Name, 2)
		for i, show := range [][]*cache.Channel{only(hangs), only(b), nil, only(b), only(hangs)} {
			ann.focus(uint64(i), show)
			r.publish(hangs.Name, 1)
		}
		owed := fmt.Sprint(map[wire.Channel]wire.Seq{hangs.Name: 3})
		ann.expect("reply 0 "+owed, "reply 1 "+fmt.Sprint(map[wire.Channel]wire.Seq{b.Name: 3}), live(b.Name, 6),
			"reply 2 "+owed, "reply 3 map[]", "reply 4 "+owed)
		r.live(hangs, 3)
		pass(50 * time.Millisecond)
		ann.expect(append(back(hangs.Name, upTo(4, 10)...), live(hangs.Name, 10))...)
	})
}

// Who begins a focus while a log lags has of the other rooms what the log had
// got to, and the rest when they gain it.
func TestFocusOfASlowSocket(t *testing.T) {
	bubble(t, rigConfig{Config: Config{Budget: 1000}, sendBuffer: 256}, func(r *rig) {
		a, b := r.hold(room(0, 0)), r.hold(room(0, 1))
		ann := r.enter("ann", wire.JSON, a, b)
		ann.deaf()
		for range 50 {
			r.publish(a.Name, 1)
			r.publish(b.Name, 1)
		}
		ann.focus(1, only(a))
		ann.hears()
		pass(2 * time.Second)
		heard := ann.take()
		r.publish(a.Name, 1) // the log goes on
		ann.focus(2, nil)
		heard = append(heard, ann.take()...)
		inA, inB := 0, 0
		for _, h := range heard {
			switch {
			case strings.HasPrefix(h, string(a.Name)):
				inA++
			case strings.HasPrefix(h, string(b.Name)):
				if inB += 2; !strings.HasPrefix(h, frames(b.Name, wire.Seq(inB))[0]) {
					t.Fatalf("%s where %d is next", h, inB)
				}
			}
		}
		if inA != 51 || inB != 100 {
			t.Errorf("%d and %d of 51 and 50 frames came", inA, inB/2)
		}
		if want := activity(b.Name, 100); !slices.Contains(heard, want) {
			t.Errorf("it was not told of the %s", want)
		}
	})
}

// A room that is joined out of focus is told of; its frames come with the focus,
// from the join on. One that is left has none.
func TestJoinOutOfFocus(t *testing.T) {
	bubble(t, rigConfig{}, func(r *rig) {
		a, b := r.hold(room(0, 0)), r.hold(room(0, 1))
		ann := r.start(wire.JSON, &Start{User: "ann", Rooms: r.rooms(a), Focus: only(a), Focused: true})
		r.publish(b.Name, 3)
		r.join("ann", b, 1, 1)
		ann.expect("joined "+string(b.Name)+" 1", activity(b.Name, 3))
		r.publish(b.Name, 1)
		ann.focus(1, only(a, b))
		ann.expect("reply 1 "+fmt.Sprint(map[wire.Channel]wire.Seq{b.Name: 1}), back(b.Name, 2)[0], back(b.Name, 3)[0], back(b.Name, 4)[0], live(b.Name, 4))
		ann.focus(2, only(a))
		r.publish(b.Name, 1)
		r.leave("ann", b, 2)
		ann.expect("reply 2 map[]", activity(b.Name, 5), "left "+string(b.Name))
		ann.focus(3, only(b)) // a stranger's room shows nothing
		r.publish(b.Name, 1)
		pass(2 * time.Second)
		ann.expect("reply 3 map[]")
		r.join("ann", b, 6, 3) // it is on screen
		r.publish(b.Name, 1)
		ann.expect("joined "+string(b.Name)+" 6", live(b.Name, 6), frames(b.Name, 7)[0])
	})
}

// A room in focus that is left and forgotten by the edge, and joined again, is
// another channel, and in focus.
func TestFocusOutlivesAChannel(t *testing.T) {
	bubble(t, rigConfig{}, func(r *rig) {
		a := r.hold(room(0, 0))
		ann := r.start(wire.JSON, &Start{User: "ann", Rooms: r.rooms(a), Focus: only(a), Focused: true})
		r.leave("ann", a, 1)
		r.cache.Release(a)
		again := r.hold(room(0, 0))
		r.join("ann", again, 0, 2)
		r.publish(again.Name, 1)
		ann.expect("left "+string(a.Name), "joined "+string(a.Name)+" 0", live(a.Name, 0), frames(a.Name, 1)[0])
	})
}

// A session that resumes with a focus is told once of each other room with
// frames after its position, also where the cache has to be filled to tell; it
// does not wait for them, nor for rooms whose interest hangs.
func TestResumeWithFocus(t *testing.T) {
	bubble(t, rigConfig{}, func(r *rig) {
		a, quiet, held := r.hold(room(0, 0)), r.hold(room(0, 1)), r.hold(room(0, 2))
		hangs, _ := r.cache.Acquire(room(0, 3))
		for range 2 {
			for _, name := range []wire.Channel{a.Name, held.Name, hangs.Name, room(0, 4), room(0, 5)} {
				r.publish(name, 1)
			}
		}
		moved, still := r.hold(room(0, 4)), r.hold(room(0, 6)) // held from here on
		ann := r.start(wire.JSON, &Start{
			User: "ann", Rooms: r.rooms(a, quiet, held, hangs, moved, still), At: []wire.Seq{5, 0},
			Focus: only(a), Focused: true, Behind: map[*cache.Channel]wire.Seq{held: 1, quiet: 2},
		})
		ann.expect(activity(held.Name, 7), frames(a.Name, 6)[0])
		pass(50 * time.Millisecond)
		ann.expect(activity(moved.Name, 9))
		r.live(hangs, 5)
		pass(50 * time.Millisecond)
		ann.expect(activity(hangs.Name, 8))
		pass(5 * time.Second)
		ann.expect()
		r.inside(func(s *shard) {
			for k := range s.wheel.sockets() {
				if f := k.extra.focus; f.unsure != nil || f.told != nil || len(k.extra.lags) != 0 {
					t.Errorf("%+v is left of it", f)
				}
			}
		})
		ann.focus(1, only(held, quiet, moved)) // those with a position of their own begin there
		ann.expect("reply 1 "+fmt.Sprint(map[wire.Channel]wire.Seq{held.Name: 1, quiet.Name: 2, moved.Name: 5}),
			back(held.Name, 2)[0], back(held.Name, 7)[0], live(held.Name, 10), live(quiet.Name, 10),
			back(moved.Name, 9)[0], live(moved.Name, 10))
	})
}

// Whether a room moved is asked for piece by piece: what is known goes on from
// there, though the cache gave the piece up for another reader's.
func TestLookingGoesOnWhereItWas(t *testing.T) {
	bubble(t, rigConfig{}, func(r *rig) {
		r.noFills = true
		a := r.hold(room(0, 0))
		a.SetLive(0)
		b, _ := r.cache.Acquire(room(0, 1))
		r.publish(a.Name, 100)
		b.SetLive(100)
		ann := r.start(wire.JSON, &Start{User: "ann", Rooms: r.rooms(b), At: []wire.Seq{5, 0}, Focused: true})
		asks := func(text string) {
			t.Helper()
			r.mu.Lock()
			defer r.mu.Unlock()
			if n := len(r.asked); n == 0 || r.asked[n-1] != string(b.Name)+" "+text {
				t.Errorf("it asks for %v, want %s", r.asked, text)
			}
		}
		fill := func(floor, upto wire.Seq) {
			t.Helper()
			if _, err := b.Fill(&wire.Fill{Ch: b.Name, Floor: floor, Upto: upto}); err != nil {
				t.Fatal(err)
			}
			r.e.Covered(0)
			synctest.Wait()
		}
		asks("5")
		fill(5, 40)
		asks("40")
		fill(60, 80)
		asks("40")
		fill(40, 60)
		asks("80")
		fill(80, 100)
		ann.expect()
	})
}

// However many rooms wait for their interest, nothing is tried over and over.
func TestRoomsThatHangCostNothing(t *testing.T) {
	bubble(t, rigConfig{}, func(r *rig) {
		const rooms = 2 * maxLateRooms
		var show []*cache.Channel
		for i := range rooms {
			ch, _ := r.cache.Acquire(room(0, i))
			show = append(show, ch)
		}
		ann := r.start(wire.JSON, &Start{User: "ann", Rooms: r.rooms(show...), Focused: true})
		ann.focus(1, show)
		if heard := ann.take(); len(heard) != 1 {
			t.Errorf("heard %v", heard)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if n := len(r.asked); n > 4*rooms {
			t.Errorf("asked %d times for %d rooms", n, rooms)
		}
	})
}

// A focus that ends makes late only what has frames, and few rooms at a time; one
// whose fill hangs keeps nobody waiting.
func TestFocusEndsWithManyRooms(t *testing.T) {
	bubble(t, rigConfig{Config: Config{Budget: 20_000}, sendBuffer: 256}, func(r *rig) {
		const rooms, busy = 2000, 200
		hangs, _ := r.cache.Acquire(room(1, 0))
		many := only(hangs)
		for i := range rooms {
			ch, _ := r.cache.Acquire(wire.Channel(fmt.Sprint("room:many", i)))
			ch.SetLive(0)
			many = append(many, ch)
		}
		moved := many[1 : busy+1]
		ann := r.start(wire.Msgpack, &Start{User: "ann", Rooms: r.rooms(many...), Focused: true})
		for _, ch := range moved {
			r.publish(ch.Name, 2)
		}
		pass(5 * time.Second)
		ann.take()
		ann.deaf()
		ann.focus(1, nil)
		r.inside(func(s *shard) {
			for k := range s.wheel.sockets() {
				if n := len(k.extra.late); n == 0 || n > maxLateRooms {
					t.Errorf("%d rooms are late", n)
				}
			}
		})
		ann.hears()
		heard := ann.take()
		if len(heard) != 1+busy*3 {
			t.Errorf("heard %d messages, want the reply, and two frames and a live of each of %d rooms", len(heard), busy)
		}
		last := r.publish(hangs.Name, 1)[0]
		ann.expect()
		r.live(hangs, 0)
		pass(50 * time.Millisecond)
		ann.expect(back(hangs.Name, last)[0], live(hangs.Name, last)) // and no activity
		r.inside(func(s *shard) {
			for k := range s.wheel.sockets() {
				if k.extra != nil {
					t.Errorf("the focus is over, and it keeps %+v", k.extra)
				}
			}
		})
	})
}

// The cursor passes over what is out of focus, but not over a room that the
// session is owed.
func TestCursorWithFocus(t *testing.T) {
	bubble(t, rigConfig{Config: Config{Ping: time.Second}}, func(r *rig) {
		a := r.hold(room(0, 0))
		hangs, _ := r.cache.Acquire(room(1, 0))
		ann := r.start(wire.JSON, &Start{User: "ann", Rooms: r.rooms(a, hangs), Focused: true})
		r.publish(a.Name, 3)
		r.publish(hangs.Name, 2)
		pass(1100 * time.Millisecond)
		want := func(text string) {
			t.Helper()
			if got := ann.cursors(); len(got) == 0 || got[len(got)-1] != text {
				t.Errorf("cursors %q, want %s", got, text)
			}
			ann.take()
		}
		want("cursor map[0:3 1:2] v0")
		ann.focus(1, only(hangs))
		pass(1100 * time.Millisecond)
		want("cursor map[0:3] v0")
		ann.focus(2, nil)
		pass(1100 * time.Millisecond)
		want("cursor map[0:3] v0")
		r.live(hangs, 0)
		pass(1100 * time.Millisecond)
		want("cursor map[0:3 1:2] v0")
	})
}

// Frames that the link skipped: who has the focus elsewhere is told that there
// were some, and of the gap when the room gains it.
func TestGapOutOfFocus(t *testing.T) {
	bubble(t, rigConfig{}, func(r *rig) {
		a, b := r.hold(room(0, 0)), r.hold(room(0, 1))
		ann := r.start(wire.JSON, &Start{User: "ann", Rooms: r.rooms(a, b), Focused: true})
		for range 5 {
			r.write(a.Name, 1)
		}
		l := &r.logs[0]
		l.trimmed, l.sent = 5, 5
		r.cache.Log(0).Gap(5, []wire.Key{wire.FramesKey(a.Name)})
		r.e.Gap(0, 5)
		pass(time.Second)
		ann.expect(activity(a.Name, 5))
		ann.focus(1, nil)
		ann.expect("reply 1 "+fmt.Sprint(map[wire.Channel]wire.Seq{a.Name: 0}), "gap "+string(a.Name)+" 1-5", live(a.Name, 5))
	})
}
