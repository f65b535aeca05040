package fanout

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"selvedge/edge/cache"
	"selvedge/edge/websocket"
	"selvedge/wire"
)

// empty checks that the shards keep nothing of anybody.
func (r *rig) empty() {
	r.t.Helper()
	synctest.Wait()
	r.inside(func(s *shard) {
		if s.wheel.len()+s.users.Len()+len(s.index) != 0 {
			r.t.Errorf("%d sockets, %d users, %d channels are kept", s.wheel.len(), s.users.Len(), len(s.index))
		}
		for _, m := range []map[wire.LogID]map[*Socket]struct{}{s.waiting, s.ahead} {
			for p := range m {
				if len(m[p]) != 0 {
					r.t.Errorf("log %d keeps %d sockets waiting", p, len(m[p]))
				}
			}
		}
		for _, b := range s.wheel.buckets {
			if len(b) != 0 {
				r.t.Error("a socket is kept in the wheel")
			}
		}
	})
	if n := r.e.Sockets(); n != 0 {
		r.t.Errorf("%d sockets are counted", n)
	}
}

// When the last socket of a user goes, however it goes, nothing is left of it.
func TestNothingIsLeftOfAUser(t *testing.T) {
	ends := map[string]func(r *rig, c *peer){
		"cut":       func(_ *rig, c *peer) { _ = c.nc.Close() },
		"closed":    func(_ *rig, c *peer) { c.sock.Close(wire.CloseReconnect, "x") },
		"closes":    func(_ *rig, c *peer) { c.say(websocket.OpClose, nil) },
		"restarted": func(r *rig, _ *peer) { r.e.Restart(make([]wire.Seq, rigLogs), "epoch") },
		"all":       func(r *rig, _ *peer) { r.e.CloseAll(wire.CloseGoingAway, "bye") },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			bubble(t, rigConfig{}, func(r *rig) {
				a, b := r.hold(room(0, 0)), r.hold(room(1, 0))
				hangs, _ := r.cache.Acquire(room(1, 1))
				at := []wire.Seq{4, 0} // ahead of this edge
				one := r.start(wire.JSON, &Start{User: "ann", Rooms: r.rooms(a, b, hangs), Topics: []*cache.Channel{a}, At: at})
				two := r.enter("ann", wire.Msgpack)
				r.join("ann", r.hold(room(1, 2)), 0, 1)
				end(r, one)
				synctest.Wait()
				if two.closed == 0 {
					r.publish(b.Name, 1)
					r.live(hangs, 0)
					if heard := two.take(); !slices.Contains(heard, frames(b.Name, 1)[0]) {
						t.Errorf("the other socket of the user heard %v", heard)
					}
					end(r, two)
				}
				r.empty()
				if one.closed != 1 || two.closed != 1 {
					t.Errorf("Closed came %d and %d times", one.closed, two.closed)
				}
			})
		})
	}
}

// say sends one frame.
func (p *peer) say(op websocket.Op, payload []byte) {
	if _, err := p.nc.Write(websocket.AppendMasked(nil, op, payload, [4]byte{1, 2, 3, 4})); err != nil {
		p.r.t.Errorf("say: %v", err)
	}
}

// A close frame reaches the peer behind all that was pending, and closes once.
func TestCloseFrameReachesThePeer(t *testing.T) {
	bubble(t, rigConfig{sendBuffer: 200}, func(r *rig) {
		a := r.hold(room(0, 0))
		ann := r.enter("ann", wire.Msgpack, a)
		ann.deaf()
		r.publish(a.Name, 30)
		ann.sock.Close(wire.CloseForbidden, "blocked")
		ann.sock.Close(wire.CloseReconnect, "again")
		r.publish(a.Name, 3)
		synctest.Wait()
		ann.hears()
		ann.expect(append(frames(a.Name, upTo(1, 30)...), "close 4003")...)
		if !slices.Equal(r.closes, []wire.CloseCode{wire.CloseForbidden}) {
			t.Errorf("closes %v", r.closes)
		}
		ann.sock.Send([]byte("x"))
		ann.sock.Start(&Start{})
		ann.sock.Busy(true)
		r.empty()
	})
}

// What breaks the protocol is closed with the code that says so, and nothing
// that follows is handed on.
func TestProtocolErrors(t *testing.T) {
	for code, frame := range map[wire.CloseCode][]byte{
		wire.CloseWrongType: websocket.AppendMasked(nil, websocket.OpText, []byte("x"), [4]byte{}),
		wire.CloseProtocol:  {0x82, 0x00},
		wire.CloseTooLarge:  websocket.AppendMasked(nil, websocket.OpBinary, make([]byte, wire.MaxClientMessage+1), [4]byte{})[:14],
	} {
		bubble(t, rigConfig{}, func(r *rig) {
			ann := r.enter("ann", wire.Msgpack)
			if _, err := ann.nc.Write(websocket.AppendMasked(frame, websocket.OpBinary, []byte("more"), [4]byte{})); err != nil {
				t.Fatal(err)
			}
			ann.expect(fmt.Sprint("close ", code))
			if len(ann.said) != 1 {
				t.Errorf("%d: after the error it said %q", code, ann.said[1:])
			}
		})
	}
}

// A ping is answered with its payload.
func TestPong(t *testing.T) {
	bubble(t, rigConfig{}, func(r *rig) {
		ann := r.enter("ann", wire.JSON)
		ann.say(websocket.OpPing, []byte("abc"))
		synctest.Wait()
		if !slices.Equal(ann.pongsHeard, []string{"abc"}) {
			t.Errorf("pongs %q", ann.pongsHeard)
		}
	})
}

// A busy session's socket is not read until it isn't.
func TestBusySocketIsNotRead(t *testing.T) {
	bubble(t, rigConfig{}, func(r *rig) {
		ann := r.enter("ann", wire.JSON)
		ann.sock.Busy(true)
		synctest.Wait()
		ann.send("one")
		synctest.Wait()
		if len(ann.said) != 1 {
			t.Errorf("said %q", ann.said)
		}
		ann.sock.Busy(false)
		synctest.Wait()
		if len(ann.said) != 2 {
			t.Errorf("said %q", ann.said)
		}
	})
}
