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

// The first activity is told at once, later ones at the end of the interval, as
// one; what no interval holds is forgotten.
func TestActivityOncePerInterval(t *testing.T) {
	bubble(t, rigConfig{Config: Config{ActivityEvery: 2 * time.Second}}, func(r *rig) {
		a := r.hold(room(0, 0))
		ann := r.start(wire.Msgpack, &Start{User: "ann", Rooms: r.rooms(a), Focused: true})
		var at []time.Duration
		ann.onMsg = func(m message) {
			if m.T == wire.TActivity {
				at = append(at, time.Duration(time.Now().UnixNano()))
			}
		}
		for range 50 {
			r.publish(a.Name, 1)
			pass(100 * time.Millisecond)
		}
		pass(10 * time.Second)
		heard := ann.take()
		if len(heard) != 4 || heard[0] != activity(a.Name, 1) || heard[3] != activity(a.Name, 50) {
			t.Errorf("5 s of frames: %v", heard)
		}
		for i := 1; i < len(at); i++ {
			if d := at[i] - at[i-1]; d < 2*time.Second || d > 2300*time.Millisecond {
				t.Errorf("%v lie between two of them", d)
			}
		}
		r.inside(func(s *shard) {
			for k := range s.wheel.sockets() {
				if k.extra.focus.told != nil || s.dues != nil {
					t.Error("a quiet room is kept")
				}
			}
		})
		r.publish(a.Name, 1)
		ann.expect(activity(a.Name, 51))
	})
}

// A room that had the focus in between is told of at once, and then begins an
// interval of its own; that is a second where nothing else is said.
func TestActivityIntervalBeginsAnew(t *testing.T) {
	bubble(t, rigConfig{}, func(r *rig) {
		a := r.hold(room(0, 0))
		ann := r.start(wire.Msgpack, &Start{User: "ann", Rooms: r.rooms(a), Focused: true})
		r.publish(a.Name, 1)
		ann.focus(1, only(a))
		pass(500 * time.Millisecond)
		ann.focus(2, only())
		ann.take()
		r.publish(a.Name, 2)
		pass(900 * time.Millisecond)
		ann.expect(activity(a.Name, 2))
		pass(200 * time.Millisecond)
		ann.expect(activity(a.Name, 3))
	})
}

// A slow socket is not told of activity; once there is room again it is, of the
// latest, and what it has pending stays within its budget.
func TestActivityOfASlowSocket(t *testing.T) {
	const budget = 1000
	bubble(t, rigConfig{Config: Config{Budget: budget}, sendBuffer: 256}, func(r *rig) {
		a := r.hold(room(0, 0))
		var others []*cache.Channel
		for i := range 40 {
			others = append(others, r.hold(room(1, i)))
		}
		ann := r.start(wire.JSON, &Start{
			User: "ann", Rooms: r.rooms(append(only(a), others...)...), Focus: only(a), Focused: true,
		})
		ann.deaf()
		r.publish(a.Name, 30)
		for range 5 {
			for i := range 40 {
				r.publish(room(1, i), 1)
			}
			pass(time.Second)
		}
		if n := r.pending(); n > budget+300 {
			t.Errorf("%d bytes are pending", n)
		}
		ann.hears()
		pass(3 * time.Second)
		heard := ann.take()
		for _, ch := range others {
			told := slices.DeleteFunc(slices.Clone(heard), func(h string) bool { return !strings.HasPrefix(h, "activity "+string(ch.Name)+" ") })
			last := r.logs[1].between(ch.Name, 0, 1000)[4].Seq
			if len(told) == 0 || told[len(told)-1] != activity(ch.Name, last) {
				t.Errorf("of %s, whose last frame is %d, it was told %v", ch.Name, last, told)
			}
		}
		if n := len(slices.DeleteFunc(heard, func(h string) bool { return !strings.HasPrefix(h, string(a.Name)) })); n != 30 {
			t.Errorf("%d of 30 frames came", n)
		}
	})
}

// A session that resumes is given nothing of a room from before the user was in
// it, whether the room has the focus or gains it later.
func TestResumeOutOfFocusFromAJoin(t *testing.T) {
	bubble(t, rigConfig{}, func(r *rig) {
		a, b := r.hold(room(0, 0)), r.hold(room(0, 1))
		for range 3 {
			r.publish(a.Name, 1)
			r.publish(b.Name, 1)
		}
		ann := r.start(wire.JSON, &Start{
			User: "ann", Rooms: r.rooms(a, b), At: []wire.Seq{0, 0}, Focus: only(b), Focused: true,
			From: map[*cache.Channel]wire.Seq{a: 3, b: 3}, Behind: map[*cache.Channel]wire.Seq{b: 1},
		})
		ann.expect(activity(a.Name, 5), back(b.Name, 4)[0], back(b.Name, 6)[0], live(b.Name, 6))
		ann.focus(1, only(a))
		ann.expect("reply 1 "+fmt.Sprint(map[wire.Channel]wire.Seq{a.Name: 3}), back(a.Name, 5)[0], live(a.Name, 6))
	})
}

// Late rooms that the cache gave up give others their turn.
func TestLateRoomsThatWaitGiveWay(t *testing.T) {
	const more = 8
	bubble(t, rigConfig{Config: Config{Budget: 3000}, sendBuffer: 256, cacheBytes: 1 << 20}, func(r *rig) {
		var show []*cache.Channel
		for i := range maxLateRooms + more {
			show = append(show, r.hold(room(0, i)))
		}
		ann := r.start(wire.JSON, &Start{User: "ann", Rooms: r.rooms(show...), Focused: true})
		for _, ch := range show[:maxLateRooms] { // one at a time has room
			r.bring(0, r.write(ch.Name, 2000))
			r.bring(0, r.write(ch.Name, 2000))
		}
		pass(3 * time.Second)
		ann.take()
		ann.deaf()
		ann.focus(1, show)
		r.noFills = true
		busy := r.hold(room(0, 100))
		for range 300 {
			r.bring(0, r.write(busy.Name, 2000))
		}
		synctest.Wait()
		ann.hears()
		heard := ann.take()
		for _, ch := range show[maxLateRooms:] {
			if !slices.ContainsFunc(heard, func(h string) bool { return strings.HasPrefix(h, "live "+string(ch.Name)+" ") }) {
				t.Errorf("%s, which lacks nothing, waits", ch.Name)
			}
		}
		if len(heard) > 2*more {
			t.Errorf("heard %v: too much was kept for the others to wait", heard)
		}
	})
}
