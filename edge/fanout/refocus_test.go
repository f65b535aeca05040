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

// Who has a room on screen before it is joined gets its frames from the join on: said
// in the hello, or later, also while the join is on its way; and again when it was left
// and is joined once more.
func TestFocusOnARoomThatIsYetToBeJoined(t *testing.T) {
	for _, how := range []string{"hello", "message", "join on its way"} {
		bubble(t, rigConfig{}, func(r *rig) {
			a, b := r.hold(room(0, 0)), r.hold(room(0, 1))
			st := &Start{User: "ann", Rooms: r.rooms(a), Focused: true}
			if how == "hello" {
				st.Absent = []wire.Channel{b.Name, room(1, 0)}
			}
			ann := r.start(wire.JSON, st)
			r.publish(b.Name, 3)
			joined := func() { r.e.Join("ann", b, 1, joinedPackets(t, b, 1, 1)) }
			want := slices.Concat([]string{"joined " + string(b.Name) + " 1"}, back(b.Name, 2, 3), []string{live(b.Name, 3)})
			switch how {
			case "hello":
				joined()
			case "message":
				ann.refocus(1, only(), []wire.Channel{room(1, 0), b.Name})
				joined()
				want = append([]string{"reply 1 map[]"}, want...)
			default:
				joined()
				ann.refocus(1, only(), []wire.Channel{b.Name})
				late := "reply 1 " + fmt.Sprint(map[wire.Channel]wire.Seq{b.Name: 1})
				want = slices.Concat([]string{want[0], activity(b.Name, 3), late}, want[1:])
			}
			synctest.Wait()
			r.publish(b.Name, 1)
			ann.expect(append(want, frames(b.Name, 4)...)...)
			r.leave("ann", b, 2)
			r.publish(b.Name, 1)
			r.join("ann", b, 5, 3)
			r.publish(b.Name, 1)
			ann.expect("left "+string(b.Name), "joined "+string(b.Name)+" 5", live(b.Name, 5), frames(b.Name, 6)[0])
			// A focus that does not name it any more counts for the next join, too.
			r.leave("ann", b, 4)
			ann.focus(2, only(a))
			r.join("ann", b, 6, 5)
			r.publish(b.Name, 1)
			ann.expect("left "+string(b.Name), "reply 2 "+fmt.Sprint(map[wire.Channel]wire.Seq{a.Name: 0}), live(a.Name, 6), "joined "+string(b.Name)+" 6", activity(b.Name, 7))
		})
	}
}

// Of changes that come in one go each is answered, in order, and the last one counts.
func TestFocusInOneGo(t *testing.T) {
	bubble(t, rigConfig{}, func(r *rig) {
		a, b := r.hold(room(0, 0)), r.hold(room(0, 1))
		ann := r.start(wire.JSON, &Start{User: "ann", Rooms: r.rooms(a, b), Focus: only(a), Focused: true})
		r.publish(b.Name, 2)
		pass(2 * time.Second)
		ann.expect(activity(b.Name, 1), activity(b.Name, 2))
		ann.refocus(1, nil, nil)
		ann.refocus(2, only(a), nil)
		ann.refocus(3, only(b), nil)
		ann.refocus(4, nil, nil)
		ann.refocus(5, only(a), nil)
		synctest.Wait()
		r.publish(a.Name, 1)
		r.publish(b.Name, 1)
		pass(2 * time.Second)
		ann.expect(slices.Concat(
			[]string{"reply 1 " + fmt.Sprint(map[wire.Channel]wire.Seq{b.Name: 0})}, back(b.Name, 1, 2), []string{live(b.Name, 2)},
			[]string{"reply 2 map[]"},
			[]string{"reply 3 " + fmt.Sprint(map[wire.Channel]wire.Seq{b.Name: 2}), live(b.Name, 2)},
			[]string{"reply 4 " + fmt.Sprint(map[wire.Channel]wire.Seq{a.Name: 2}), live(a.Name, 2), "reply 5 map[]"},
			frames(a.Name, 3), []string{activity(b.Name, 4)},
		)...)
	})
}

// Who resumes with rooms that have positions of their own, and looks at others before
// all has come, gets each frame once that is owed to it, in order.
func TestFocusDuringAResume(t *testing.T) {
	bubble(t, rigConfig{Config: Config{Budget: 1500}, sendBuffer: 256}, func(r *rig) {
		a, b := r.hold(room(0, 0)), r.hold(room(0, 1))
		for range 50 {
			r.publish(a.Name, 1)
			r.publish(b.Name, 1)
		}
		ann := r.connect(wire.JSON)
		ann.deaf()
		r.begin(ann, &Start{
			User: "ann", Rooms: r.rooms(a, b), At: []wire.Seq{10, 0}, Focus: only(a), Focused: true,
			Behind: map[*cache.Channel]wire.Seq{a: 21, b: 40},
		})
		synctest.Wait()
		for i, show := range [][]*cache.Channel{only(b), nil, only(a), only(b), only(), only(a, b)} {
			ann.focus(uint64(i), show)
		}
		ann.hears()
		pass(5 * time.Second)
		next := map[wire.Channel]wire.Seq{a.Name: 23, b.Name: 42}
		for _, h := range ann.take() {
			for name, seq := range next {
				if strings.HasPrefix(h, string(name)+" ") {
					if h != back(name, seq)[0] && h != frames(name, seq)[0] {
						t.Fatalf("%s where %d is next", h, seq)
					}
					next[name] += 2
				}
			}
		}
		if next[a.Name] != 101 || next[b.Name] != 102 {
			t.Errorf("the next ones are %v", next)
		}
	})
}

// Each session of a user has its own focus.
func TestSessionsOfAUserLookAtDifferentRooms(t *testing.T) {
	bubble(t, rigConfig{}, func(r *rig) {
		a, b := r.hold(room(0, 0)), r.hold(room(0, 1))
		phone := r.start(wire.JSON, &Start{User: "ann", Rooms: r.rooms(a, b), Focus: only(a), Focused: true})
		desk := r.start(wire.Msgpack, &Start{User: "ann", Rooms: r.rooms(a, b), Focus: only(b), Focused: true})
		all := r.enter("ann", wire.JSON, a, b)
		r.publish(a.Name, 1)
		r.publish(b.Name, 1)
		phone.expect(append(frames(a.Name, 1), activity(b.Name, 2))...)
		desk.expect(append([]string{activity(a.Name, 1)}, frames(b.Name, 2)...)...)
		all.expect(append(frames(a.Name, 1), frames(b.Name, 2)...)...)
		desk.focus(1, nil)
		desk.expect(append([]string{"reply 1 " + fmt.Sprint(map[wire.Channel]wire.Seq{a.Name: 0})}, append(back(a.Name, 1), live(a.Name, 2))...)...)
		pass(2 * time.Second)
		r.publish(b.Name, 1)
		phone.expect(activity(b.Name, 3))
		desk.expect(frames(b.Name, 3)...)
		all.expect(frames(b.Name, 3)...)
		// A room that one of them shows is left by all.
		r.leave("ann", a, 1)
		r.publish(a.Name, 1)
		pass(2 * time.Second)
		for _, c := range []*peer{phone, desk, all} {
			c.expect("left " + string(a.Name))
		}
	})
}
