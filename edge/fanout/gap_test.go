package fanout

import (
	"slices"
	"testing"
	"time"

	"selvedge/edge/cache"
	"selvedge/wire"
)

// What the core has no more is told, inclusive at both ends, then comes the
// rest.
func TestGapBelowTheCoresFloor(t *testing.T) {
	bubble(t, rigConfig{}, func(r *rig) {
		for range 10 {
			r.publish(room(0, 0), 1)
		}
		a := r.hold(room(0, 0)) // from 10 on
		r.logs[0].trimmed = 6
		ann := r.start(wire.JSON, &Start{User: "ann", Rooms: r.rooms(a), At: []wire.Seq{2, 0}})
		late := r.enter("bob", wire.Msgpack)
		r.join("bob", a, 3, 1)
		pass(50e6)
		r.publish(a.Name, 1)
		ann.expect(append([]string{"gap " + string(a.Name) + " 3-6"}, frames(a.Name, upTo(7, 11)...)...)...)
		late.expect("joined "+string(a.Name)+" 3", "gap "+string(a.Name)+" 4-6",
			back(a.Name, 7)[0], back(a.Name, 8)[0], back(a.Name, 9)[0], back(a.Name, 10)[0], "live "+string(a.Name)+" 10",
			frames(a.Name, 11)[0])
	})
}

// Frames that the link skipped: every session with channels in the log is told,
// the others are not, and nothing waits.
func TestGapOnTheLink(t *testing.T) {
	bubble(t, rigConfig{}, func(r *rig) {
		a, b, c := r.hold(room(0, 0)), r.hold(room(0, 1)), r.hold(room(1, 0))
		ann := r.enter("ann", wire.JSON, a, b)
		bob := r.enter("bob", wire.JSON, c)
		ahead := r.start(wire.JSON, &Start{User: "cat", Rooms: r.rooms(a), At: []wire.Seq{5, 0}})
		r.publish(a.Name, 2)
		for range 5 {
			r.write(a.Name, 1)
		}
		l := &r.logs[0]
		l.trimmed, l.sent = 7, 7
		r.cache.Log(0).Gap(7, []wire.Key{wire.FramesKey(a.Name)}) // b lost nothing
		r.e.Gap(0, 7)
		r.e.Gap(0, 7)
		time.Sleep(time.Second) // the core is asked what exactly is gone
		heard := ann.take()
		if want := append(frames(a.Name, 1, 2), "gap "+string(a.Name)+" 3-7"); !slices.Equal(heard, want) {
			t.Errorf("heard %v, want %v", heard, want)
		}
		bob.expect()
		ahead.expect("gap " + string(a.Name) + " 6-7")
		r.publish(b.Name, 1)
		r.publish(a.Name, 1)
		ann.expect(frames(b.Name, 8)[0], frames(a.Name, 9)[0])
		ahead.expect(frames(a.Name, 9)...)
	})
}

// What a lagging log waits for may be left: the rest goes on at once.
func TestLeavingWhatTheLogWaitsFor(t *testing.T) {
	bubble(t, rigConfig{}, func(r *rig) {
		a := r.hold(room(0, 0))
		hangs, _ := r.cache.Acquire(room(0, 1))
		topic, _ := r.cache.Acquire(room(0, 2))
		ann := r.start(wire.JSON, &Start{User: "ann", Rooms: r.rooms(a, hangs), Topics: []*cache.Channel{topic}})
		r.publish(a.Name, 2)
		ann.expect()
		r.leave("ann", hangs, 1)
		ann.expect("left " + string(hangs.Name))
		ann.sock.Unsubscribe(topic)
		ann.expect(frames(a.Name, 1, 2)...)
	})
}
