package fanout

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"unsafe"

	"selvedge/edge/cache"
	"selvedge/wire"
)

// say writes and brings a frame that refers to users.
func (r *rig) say(name wire.Channel, author string, refs ...string) wire.Seq {
	seq := r.writeFrom(name, 10, author, refs...)
	r.bring(wire.LogOf(name, rigLogs), seq)
	synctest.Wait()
	return seq
}

func object(user string, v int) string { return fmt.Sprint("object ", user, " ", v) }

// What a frame refers to goes right before it, to the sessions that have not
// seen it, once per version; what the edge has not goes when it has come.
func TestObjectsGoRightBeforeTheirFrame(t *testing.T) {
	bubble(t, rigConfig{objects: true}, func(r *rig) {
		a, b := r.hold(room(0, 0)), r.hold(room(0, 1))
		ann := r.enter("ann", wire.JSON, a, b)
		r.learn("x")
		y := r.learn("y")
		r.say(a.Name, "x")
		r.say(a.Name, "x", "y", "x")
		bob := r.enter("bob", wire.Msgpack, a)
		r.say(a.Name, "y", "x", "z") // nobody waits for z
		r.publish(a.Name, 1)
		r.say(b.Name, "z")
		ann.expect(object("x", 1), frames(a.Name, 1)[0], object("y", 1), frames(a.Name, 2)[0], frames(a.Name, 3)[0], frames(a.Name, 4)[0], frames(b.Name, 5)[0])
		bob.expect(object("y", 1), object("x", 1), frames(a.Name, 3)[0], frames(a.Name, 4)[0])
		r.learn("z") // of both rooms, but once
		ann.expect(object("z", 1))
		bob.expect(object("z", 1))
		r.learn("x") // nobody refers to it now
		ann.expect()
		r.say(a.Name, "", "x")
		ann.expect(object("x", 2), frames(a.Name, 6)[0])
		bob.expect(object("x", 2), frames(a.Name, 6)[0])
		cat := r.enter("cat", wire.JSON, a)
		cat.sock.Saw(y.ID(), 77)
		r.say(a.Name, "y")
		cat.expect(frames(a.Name, 7)...)
	})
}

// Who catches up, or is late, gets objects as everybody does; so does who was
// slow, within its budget.
func TestObjectsOfWhatIsReadAgain(t *testing.T) {
	const budget = 2000
	bubble(t, rigConfig{Config: Config{Budget: budget}, objects: true, sendBuffer: 256}, func(r *rig) {
		a := r.hold(room(0, 0))
		r.learn("x")
		r.say(a.Name, "x")
		r.say(a.Name, "y")
		r.learn("y")
		ann := r.start(wire.JSON, &Start{User: "ann", Rooms: r.rooms(a), At: []wire.Seq{0, 0}})
		late := r.enter("bob", wire.JSON)
		r.join("bob", a, 0, 1)
		ann.expect(object("x", 1), frames(a.Name, 1)[0], object("y", 1), frames(a.Name, 2)[0])
		late.expect("joined "+string(a.Name)+" 0", object("x", 1), back(a.Name, 1)[0], object("y", 1), back(a.Name, 2)[0], live(a.Name, 2))
		ann.deaf()
		want := []string{}
		for i := range 60 {
			user := fmt.Sprint("u", i)
			r.learn(user)
			want = append(want, object(user, 1), frames(a.Name, r.say(a.Name, user))[0])
			if n := r.pending(); n > budget+300 {
				t.Fatalf("%d bytes are pending", n)
			}
		}
		ann.hears()
		ann.expect(want...)
	})
}

// Of a room out of focus nobody is sent: neither with the activity, nor when it
// comes later.
func TestObjectsOutOfFocus(t *testing.T) {
	bubble(t, rigConfig{objects: true}, func(r *rig) {
		a, b := r.hold(room(0, 0)), r.hold(room(0, 1))
		ann := r.start(wire.JSON, &Start{User: "ann", Rooms: r.rooms(a, b), Focus: only(a), Focused: true})
		bob := r.enter("bob", wire.JSON, b)
		r.learn("x")
		r.say(b.Name, "x", "y")
		r.learn("y")
		ann.expect(activity(b.Name, 1))
		bob.expect(object("x", 1), frames(b.Name, 1)[0], object("y", 1))
		ann.focus(1, only(b))
		ann.expect("reply 1 "+fmt.Sprint(map[wire.Channel]wire.Seq{b.Name: 0}), object("x", 1), object("y", 1), back(b.Name, 1)[0], live(b.Name, 1))
	})
}

// Objects that come later can't be resumed: too many of them close a slow socket
// (rule 12), and leave the others alone.
func TestObjectsOfASlowSocket(t *testing.T) {
	bubble(t, rigConfig{Config: Config{Budget: 500}, objects: true, sendBuffer: 128}, func(r *rig) {
		a := r.hold(room(0, 0))
		quick, slow, quick2 := r.enter("ann", wire.JSON, a), r.enter("ann", wire.JSON, a), r.enter("ann", wire.JSON, a)
		slow.deaf()
		for i := range 40 {
			r.say(a.Name, fmt.Sprint("u", i))
		}
		for i := range 40 {
			r.learn(fmt.Sprint("u", i))
			synctest.Wait()
		}
		for _, c := range []*peer{quick, quick2} {
			if n := len(c.take()); n != 80 {
				t.Errorf("heard %d messages", n)
			}
		}
		if !slices.Equal(r.closes, []wire.CloseCode{wire.CloseSlow}) {
			t.Errorf("closes %v", r.closes)
		}
		slow.hears()
	})
}

// A frame that nobody here gets asks for nobody; one that many get asks once.
func TestObjectsAreFoundOncePerFrame(t *testing.T) {
	asked := 0
	cfg := rigConfig{Config: Config{Objects: func(dst []Object, _ *cache.Frame) []Object {
		asked++
		return dst
	}}}
	bubble(t, cfg, func(r *rig) {
		a, b := r.hold(room(0, 0)), r.hold(room(0, 1))
		for i := range 10 {
			r.enter(wire.UserID(fmt.Sprint("u", i)), wire.Codec(i%int(wire.Codecs)), a)
		}
		r.say(a.Name, "x")
		r.say(b.Name, "x")
		r.publish(a.Name, 1)
		synctest.Wait()
		if asked != 1 {
			t.Errorf("asked %d times", asked)
		}
	})
}

// The ring has the last ids, exactly.
func TestSeen(t *testing.T) {
	var r seen
	if r.has(0) {
		t.Error("an empty ring has an id")
	}
	for id := range uint32(100) {
		if !r.add(id) || r.add(id) || !r.has(id) {
			t.Fatalf("%d is not new once", id)
		}
		if first := int(id) - maxSeen + 1; first > 0 && (r.has(uint32(first-1)) || !r.has(uint32(first))) {
			t.Fatalf("after %d, %d is not the oldest", id, first)
		}
	}
	if n := unsafe.Sizeof(r); n > 144 {
		t.Errorf("a ring has %d bytes", n)
	}
	if n := unsafe.Sizeof(extra{}); n > 112 {
		t.Errorf("an extra has %d bytes", n)
	}
}
