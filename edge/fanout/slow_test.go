package fanout

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"selvedge/edge/cache"
	"selvedge/wire"
)

// pending is the most that any socket has pending now.
func (r *rig) pending() (most int) {
	r.inside(func(s *shard) {
		for k := range s.wheel.sockets() {
			sum := 0
			if k.out != nil {
				sum = -k.out.offset
				for _, b := range k.out.packets {
					sum += len(b)
				}
			}
			if sum != k.pending() {
				r.t.Errorf("%d bytes are pending, %d are counted", sum, k.pending())
			}
			most = max(most, k.pending())
		}
	})
	return most
}

// A socket that reads nothing stops getting frames past its budget; when it
// reads again it gets all of them, in order, once. Others notice nothing.
func TestSlowSocketLags(t *testing.T) {
	const budget = 4000
	bubble(t, rigConfig{Config: Config{Budget: budget}, sendBuffer: 512}, func(r *rig) {
		a, b := r.hold(room(0, 0)), r.hold(room(1, 0))
		slow := r.start(wire.Msgpack, &Start{User: "slow", Rooms: r.rooms(a), Topics: []*cache.Channel{b}})
		quick := r.enter("quick", wire.Msgpack, a)
		slow.deaf()
		for range 20 {
			r.publish(a.Name, 20)
			r.publish(b.Name, 2)
			synctest.Wait()
			if n := r.pending(); n > budget+200 {
				t.Fatalf("%d bytes are pending", n)
			}
		}
		quick.expect(frames(a.Name, upTo(1, 400)...)...)
		if r.withheld != 2 {
			t.Errorf("withheld %d times, of two logs", r.withheld)
		}
		slow.hears()
		heard := slow.take()
		ofA := slices.DeleteFunc(slices.Clone(heard), func(s string) bool { return s[:len(a.Name)] != string(a.Name) })
		ofB := slices.DeleteFunc(heard, func(s string) bool { return s[:len(b.Name)] != string(b.Name) })
		if !slices.Equal(ofA, frames(a.Name, upTo(1, 400)...)) || !slices.Equal(ofB, frames(b.Name, upTo(1, 40)...)) {
			t.Errorf("heard %v and %v", ofA, ofB)
		}
		r.publish(a.Name, 1)
		slow.expect(frames(a.Name, 401)...)
	})
}

// Much at once is not slow: a socket that takes all that was pending in one
// write goes on, though no room was ever lacking below.
func TestBurstLargerThanTheBudget(t *testing.T) {
	bubble(t, rigConfig{Config: Config{Budget: 1000}, sendBuffer: 1 << 20}, func(r *rig) {
		a := r.hold(room(0, 0))
		ann := r.enter("ann", wire.JSON, a)
		for range 200 {
			r.write(a.Name, 10)
		}
		r.bring(0, 200)
		ann.expect(frames(a.Name, upTo(1, 200)...)...)
		// The same for what can't be resumed.
		r.inside(func(s *shard) {
			for k := range s.wheel.sockets() {
				for i := range 200 {
					p, err := Encode(wire.Placed{T: wire.TReply, ID: uint64(i)})
					if err != nil {
						t.Error(err)
					}
					s.reply(k, p[k.Codec()])
				}
			}
		})
		if heard := ann.take(); len(heard) != 200 || heard[199] != "reply 199 0" {
			t.Errorf("heard %d replies", len(heard))
		}
	})
}

// However many channels are late, what is pending stays within the budget and a
// batch.
func TestManyLateChannelsStayWithinTheBudget(t *testing.T) {
	const budget = 2000
	bubble(t, rigConfig{Config: Config{Budget: budget}, sendBuffer: 256}, func(r *rig) {
		st := &Start{User: "ann", At: []wire.Seq{60, 60}, Behind: map[*cache.Channel]wire.Seq{}}
		var rooms []*cache.Channel
		total := 0
		for p := range wire.LogID(rigLogs) {
			for i := range 6 {
				ch := r.hold(room(p, i))
				rooms = append(rooms, ch)
				st.Behind[ch] = 0
			}
		}
		st.Rooms = r.rooms(rooms...)
		for ch := range st.Behind {
			total += len(r.publish(ch.Name, 10))
		}
		synctest.Wait()
		c := r.connect(wire.JSON)
		c.deaf()
		r.begin(c, st)
		synctest.Wait()
		if n := r.pending(); n > budget+300 {
			t.Errorf("%d bytes are pending", n)
		}
		c.hears()
		if heard := c.take(); len(heard) != total+12 {
			t.Errorf("heard %d messages, want %d frames and 12 lives", len(heard), total)
		}
	})
}

// A socket over its budget isn't read; past twice the budget, what can't be
// resumed closes it.
func TestRepliesToASlowSocket(t *testing.T) {
	const budget = 1000
	bubble(t, rigConfig{Config: Config{Budget: budget}, sendBuffer: 128}, func(r *rig) {
		ann := r.enter("ann", wire.JSON)
		other := r.enter("bob", wire.JSON)
		ann.deaf()
		reply := func(i int) {
			p, err := Encode(wire.Placed{T: wire.TReply, ID: uint64(i)})
			if err != nil {
				t.Fatal(err)
			}
			ann.sock.Send(p[wire.JSON])
			synctest.Wait()
		}
		n := 0
		for ; r.pending() <= budget; n++ {
			reply(n)
		}
		// One read may have been under way: it stays with the transport.
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			ann.send("one")
			ann.send("two")
		}()
		synctest.Wait()
		if len(ann.said) != 1 {
			t.Errorf("a socket over its budget said %q", ann.said)
		}
		ann.hears()
		<-sent
		synctest.Wait()
		if len(ann.said) != 3 || len(ann.take()) != n {
			t.Errorf("said %q after it read", ann.said)
		}
		ann.deaf()
		for i := range 200 {
			reply(i)
			if p := r.pending(); p > 2*budget+200 {
				t.Fatalf("%d bytes are pending", p)
			}
		}
		ann.hears()
		heard := ann.take()
		if len(heard) == 0 || heard[len(heard)-1] != fmt.Sprint("close ", wire.CloseSlow) {
			t.Errorf("the last it heard: %v", heard[max(0, len(heard)-2):])
		}
		if !slices.Equal(r.closes, []wire.CloseCode{wire.CloseSlow}) {
			t.Errorf("closes %v", r.closes)
		}
		other.expect()
	})
}

// Joins can't be resumed on the same socket: too many of them close a slow one,
// and leave its user's other sockets alone.
func TestJoinsOfASlowSocket(t *testing.T) {
	bubble(t, rigConfig{Config: Config{Budget: 500}, sendBuffer: 128}, func(r *rig) {
		quick := r.enter("ann", wire.JSON)
		slow := r.enter("ann", wire.JSON)
		quick2 := r.enter("ann", wire.JSON)
		slow.deaf()
		for i := range 30 {
			ch := r.hold(room(0, i))
			r.join("ann", ch, 0, wire.Seq(i))
		}
		for _, c := range []*peer{quick, quick2} {
			if n := len(c.take()); n != 60 { // joined and live
				t.Errorf("heard %d messages", n)
			}
		}
		if !slices.Equal(r.closes, []wire.CloseCode{wire.CloseSlow}) || slow.closed > 1 {
			t.Errorf("closes %v", r.closes)
		}
		slow.hears()
	})
}
