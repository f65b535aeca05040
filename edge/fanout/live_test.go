package fanout

import (
	"testing"
	"testing/synctest"

	"selvedge/edge/cache"
	"selvedge/wire"
)

// Each frame comes once and in order, in the socket's codec, to members and
// subscribers, once to who is both, and to nobody else.
func TestLiveFrames(t *testing.T) {
	bubble(t, rigConfig{}, func(r *rig) {
		a, b := r.hold(room(0, 0)), r.hold(room(1, 0))
		ann := r.enter("ann", wire.JSON, a, b)
		ann2 := r.enter("ann", wire.Msgpack, a, b)
		bob := r.enter("bob", wire.Msgpack, b)
		sub := r.start(wire.JSON, &Start{User: "sub", Rooms: r.rooms(b), Topics: []*cache.Channel{a, b}})
		none := r.enter("none", wire.JSON)
		r.publish(a.Name, 3)
		r.publish(b.Name, 2)
		want := append(frames(a.Name, 1, 2, 3), frames(b.Name, 1, 2)...)
		ann.expect(want...)
		ann2.expect(want...)
		sub.expect(want...)
		bob.expect(frames(b.Name, 1, 2)...)
		none.expect()
	})
}

// What comes twice down the link goes out once.
func TestRepeatedBatchIsNotHandedOn(t *testing.T) {
	bubble(t, rigConfig{}, func(r *rig) {
		a := r.hold(room(0, 0))
		ann := r.enter("ann", wire.JSON, a)
		r.publish(a.Name, 2)
		r.logs[0].sent = 0
		r.bring(0, 2)
		ann.expect(frames(a.Name, 1, 2)...)
		f := &cache.Frame{Frame: r.logs[0].frames[0], Channel: a}
		r.e.Publish(&Batch{P: 0, Frames: []*cache.Frame{f}, Upto: 1})
		ann.expect()
		if at := ann.sock.Position(0); at != 2 {
			t.Errorf("the shard went back to %d", at)
		}
	})
}

// The welcome is first, then come exactly the frames after At, though the
// interest in the room is still on its way, and though the room moved meanwhile.
func TestFreshStartWhileTheInterestIsPending(t *testing.T) {
	for _, quiet := range []bool{false, true} {
		bubble(t, rigConfig{}, func(r *rig) {
			r.write(room(0, 0), 1)
			r.write(room(0, 0), 1)
			r.bring(0, 2)
			synctest.Wait() // the shard has taken it: At is 2
			a, _ := r.cache.Acquire(room(0, 0))
			ann := r.enter("ann", wire.Msgpack, a)
			if !quiet {
				r.publish(room(0, 0), 2) // not ours yet: the core fills it
			}
			r.live(a, 2)
			last := r.publish(a.Name, 1)[0]
			pass(50e6)
			ann.mu.Lock()
			first := ann.heard[0].T
			ann.mu.Unlock()
			if first != wire.TWelcome {
				t.Errorf("the first message is %s", first)
			}
			ann.expect(frames(a.Name, upTo(3, last)...)...)
		})
	}
}

// A resumed session gets what it missed of all its channels of a log in the
// log's order, so that its position can move with each frame.
func TestResumeMergesTheChannelsOfALog(t *testing.T) {
	bubble(t, rigConfig{}, func(r *rig) {
		a, b, c := r.hold(room(0, 0)), r.hold(room(0, 1)), r.hold(room(1, 0))
		var want []string
		for range 30 {
			r.publish(a.Name, 1)
			r.publish(b.Name, 2)
		}
		for _, f := range r.logs[0].frames[10:] {
			want = append(want, frames(f.Ch, f.Seq)...)
		}
		ann := r.start(wire.JSON, &Start{
			User: "ann", Rooms: r.rooms(a, c), Topics: []*cache.Channel{b}, At: []wire.Seq{10, 0},
		})
		pass(100e6)
		ann.expect(want...)
		r.publish(b.Name, 1)
		ann.expect(frames(b.Name, 91)...)
	})
}

// A session that was further at another edge waits for this one, and gets
// nothing twice.
func TestResumeAheadOfThisEdge(t *testing.T) {
	bubble(t, rigConfig{}, func(r *rig) {
		a, b := r.hold(room(0, 0)), r.hold(room(1, 0))
		r.publish(a.Name, 2)
		for range 5 {
			r.write(a.Name, 1)
		}
		ann := r.start(wire.JSON, &Start{User: "ann", Rooms: r.rooms(a, b), At: []wire.Seq{5, 0}})
		r.publish(b.Name, 1)
		ann.expect(frames(b.Name, 1)...)
		r.bring(0, 4)
		ann.expect()
		r.bring(0, 6)
		ann.expect(frames(a.Name, 6)...)
		r.bring(0, 7)
		ann.expect(frames(a.Name, 7)...)
		r.inside(func(s *shard) {
			if len(s.ahead[0]) != 0 {
				t.Error("a socket is still kept as ahead")
			}
		})
	})
}

// A hole in what the link brought makes members read the cache, which a fill
// mends: nothing is lost, nothing comes in the wrong order.
func TestHoleIsFilled(t *testing.T) {
	bubble(t, rigConfig{}, func(r *rig) {
		a, b := r.hold(room(0, 0)), r.hold(room(0, 1))
		ann := r.enter("ann", wire.JSON, a, b)
		bob := r.enter("bob", wire.JSON, b)
		r.publish(a.Name, 1)
		r.write(a.Name, 1)
		r.logs[0].sent = 2 // lost on the way
		r.publish(a.Name, 1)
		r.publish(b.Name, 1)
		bob.expect(frames(b.Name, 4)...)
		pass(50e6)
		ann.expect(append(frames(a.Name, 1, 2, 3), frames(b.Name, 4)...)...)
		r.publish(a.Name, 1)
		ann.expect(frames(a.Name, 5)...)
	})
}

// A signal comes to members and subscribers, once, and not to its sender.
func TestSignals(t *testing.T) {
	bubble(t, rigConfig{}, func(r *rig) {
		a := r.hold(room(0, 0))
		ann := r.enter("ann", wire.JSON, a)
		bob := r.start(wire.Msgpack, &Start{User: "bob", Rooms: r.rooms(a), Topics: []*cache.Channel{a}})
		sub := r.start(wire.Msgpack, &Start{User: "sub", Topics: []*cache.Channel{a}})
		sig, err := Encode(wire.Signal{T: wire.TSignal, Ch: a.Name, From: "ann", Data: wire.Data{0xc0}})
		if err != nil {
			t.Fatal(err)
		}
		r.e.Signal(a, "ann", sig)
		ann.expect()
		bob.expect(wire.TSignal)
		sub.expect(wire.TSignal)
	})
}
