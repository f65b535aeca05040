package fanout

import (
	"slices"
	"testing"
	"testing/synctest"

	"selvedge/edge/cache"
	"selvedge/wire"
)

// A room joined late: its back frames come oldest first and marked, then live;
// other channels never wait for it.
func TestLateChannel(t *testing.T) {
	bubble(t, rigConfig{}, func(r *rig) {
		a := r.hold(room(0, 0))
		ann := r.enter("ann", wire.JSON, a)
		ann2 := r.enter("ann", wire.Msgpack, a)
		late := room(0, 1)
		for range 3 {
			r.publish(late, 1)
			r.publish(a.Name, 1)
		}
		ann.expect(frames(a.Name, 2, 4, 6)...)
		b, _ := r.cache.Acquire(late)
		r.join("ann", b, 1, 7)
		ann.expect("joined " + string(late) + " 1")
		r.publish(a.Name, 1) // waits for nothing
		ann.expect(frames(a.Name, 7)...)
		r.live(b, 1)
		r.publish(late, 1) // its live frames wait
		ann.expect()
		pass(50e6)
		want := append(back(late, 3, 5, 8), "live "+string(late)+" 8")
		ann.expect(want...)
		ann2.expect(slices.Concat(frames(a.Name, 2, 4, 6), []string{"joined " + string(late) + " 1"}, frames(a.Name, 7), want)...)
		r.publish(late, 1)
		r.publish(a.Name, 1)
		ann.expect(slices.Concat(frames(late, 9), frames(a.Name, 10))...)
		r.inside(func(s *shard) {
			for k := range s.wheel.sockets() {
				if k.extra != nil {
					t.Errorf("a socket that has caught up keeps %+v", k.extra)
				}
			}
		})
	})
}

// A channel that goes live while its log lags has a position of its own: the
// log's own catching up does not send its frames again.
func TestLateChannelOnALogThatLags(t *testing.T) {
	bubble(t, rigConfig{}, func(r *rig) {
		a, _ := r.cache.Acquire(room(0, 0)) // its interest hangs
		b := r.hold(room(0, 1))
		ann := r.enter("ann", wire.JSON, a)
		r.publish(b.Name, 2)
		r.join("ann", b, 0, 1)
		ann.expect(append(append([]string{"joined " + string(b.Name) + " 0"}, back(b.Name, 1, 2)...), "live "+string(b.Name)+" 2")...)
		r.publish(b.Name, 1)
		r.live(a, 0)
		ann.expect(frames(b.Name, 3)...)
		r.publish(a.Name, 1)
		ann.expect(frames(a.Name, 4)...)
	})
}

// A session that was cut in the middle of a channel's back frames goes on in the
// middle; one whose channel was ahead of its log gets nothing twice.
func TestResumeBehind(t *testing.T) {
	for _, at := range []wire.Seq{4, 6, 8} { // b's own position is 6
		bubble(t, rigConfig{}, func(r *rig) {
			a, b := r.hold(room(0, 0)), r.hold(room(0, 1))
			for range 4 {
				r.publish(a.Name, 1) // odd
				r.publish(b.Name, 1) // even
			}
			ann := r.start(wire.JSON, &Start{
				User: "ann", Rooms: r.rooms(a, b), At: []wire.Seq{at, 0}, Behind: map[*cache.Channel]wire.Seq{b: 6},
			})
			want := append(back(b.Name, 8), "live "+string(b.Name)+" 8")
			for _, f := range r.logs[0].between(a.Name, at, 8) {
				want = append(want, frames(a.Name, f.Seq)...)
			}
			ann.expect(want...)
			next := r.publish(b.Name, 1)[0]
			ann.expect(frames(b.Name, next)...)
		})
	}
}

// A room joined after the session last looked comes from its join on, wherever
// the log stands in the cursor, unless a part of it had come.
func TestResumeTellsOfJoins(t *testing.T) {
	bubble(t, rigConfig{}, func(r *rig) {
		a := r.hold(room(0, 0))
		r.publish(a.Name, 6)
		joined := joinedPackets(t, a, 2, 9)
		for behind, first := range map[wire.Seq]wire.Seq{0: 3, 1: 3, 4: 5} {
			st := &Start{
				User: "ann", Rooms: r.rooms(a), At: []wire.Seq{6, 0},
				Joined: []Joined{{Ch: a, From: 2, Packet: joined[wire.Msgpack]}},
			}
			if behind > 0 {
				st.Behind = map[*cache.Channel]wire.Seq{a: behind}
			}
			ann := r.start(wire.Msgpack, st)
			want := append([]string{"joined " + string(a.Name) + " 2"}, back(a.Name, upTo(first, 6)...)...)
			ann.expect(append(want, "live "+string(a.Name)+" 6")...)
		}
	})
}

// A leave in the middle of back frames ends them.
func TestLeaveInTheMiddle(t *testing.T) {
	bubble(t, rigConfig{Config: Config{Budget: 2000}, sendBuffer: 256}, func(r *rig) {
		a, b := r.hold(room(0, 0)), r.hold(room(0, 1))
		for range 100 {
			r.publish(a.Name, 1)
		}
		ann := r.enter("ann", wire.JSON, b)
		ann.deaf()
		r.join("ann", a, 0, 1)
		r.leave("ann", a, 2)
		r.publish(a.Name, 1)
		r.publish(b.Name, 1)
		ann.hears()
		heard := ann.take()
		n := len(heard)
		if n < 3 || n > 60 || heard[n-2] != "left "+string(a.Name) || heard[n-1] != frames(b.Name, 102)[0] {
			t.Errorf("%d messages: %v", n, heard)
		}
		for i, want := range back(a.Name, upTo(1, wire.Seq(n-3))...) {
			if heard[i+1] != want {
				t.Errorf("%s, want %s", heard[i+1], want)
			}
		}
		r.leave("ann", a, 3) // again: nothing
		r.leave("nobody", a, 3)
		ann.expect()
	})
}

// subscribe answers with the position after which frames come.
func (p *peer) subscribe(ch *cache.Channel, id uint64, since *wire.Seq) {
	p.sock.Subscribe(ch, since, func(from wire.Seq) []byte {
		packets, err := Encode(wire.Placed{T: wire.TReply, ID: id, P: ch.P, Seq: from})
		if err != nil {
			p.r.t.Error(err)
		}
		return packets[p.codec]
	})
	synctest.Wait()
}

// A topic comes from now on, or from since on; not any more once unsubscribed.
func TestSubscribe(t *testing.T) {
	bubble(t, rigConfig{}, func(r *rig) {
		a := r.hold(room(0, 0))
		r.publish(a.Name, 4)
		now, then := r.enter("ann", wire.JSON), r.enter("bob", wire.JSON)
		now.subscribe(a, 1, nil)
		since := wire.Seq(1)
		then.subscribe(a, 2, &since)
		live := "live " + string(a.Name) + " 4"
		now.expect("reply 1 4", live)
		then.expect(append(append([]string{"reply 2 1"}, back(a.Name, 2, 3, 4)...), live)...)
		r.publish(a.Name, 1)
		now.expect(frames(a.Name, 5)...)
		then.expect(frames(a.Name, 5)...)
		then.subscribe(a, 3, &since) // its own wish
		then.expect(append(append([]string{"reply 3 1"}, back(a.Name, 2, 3, 4, 5)...), "live "+string(a.Name)+" 5")...)
		now.sock.Unsubscribe(a)
		now.sock.Unsubscribe(a)
		r.publish(a.Name, 1)
		now.expect()
		then.expect(frames(a.Name, 6)...)
	})
}

// To subscribe once more says where the session stands in the topic, not where
// the log does: nothing between is lost.
func TestSubscribeAgainLosesNothing(t *testing.T) {
	bubble(t, rigConfig{}, func(r *rig) {
		a, _ := r.cache.Acquire(room(0, 0)) // its interest hangs
		ann := r.enter("ann", wire.JSON)
		ann.subscribe(a, 1, nil)
		r.publish(a.Name, 3)
		ann.subscribe(a, 2, nil)
		ann.expect("reply 1 0", "reply 2 0")
		r.live(a, 0)
		pass(50e6)
		ann.expect(append(back(a.Name, 1, 2, 3), "live "+string(a.Name)+" 3")...)
	})
}

// A topic that stands further than its log does here comes from there on.
func TestSubscribeFromAhead(t *testing.T) {
	bubble(t, rigConfig{}, func(r *rig) {
		a := r.hold(room(0, 0))
		ann := r.enter("ann", wire.JSON)
		since := wire.Seq(2)
		ann.subscribe(a, 1, &since)
		r.publish(a.Name, 3)
		ann.expect("reply 1 2", "live "+string(a.Name)+" 2", frames(a.Name, 3)[0])
	})
}
