package session

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/edge/fanout"
	"selvedge/wire"
)

// seenBy is the v that the client is told with the pings, a while from now.
func (c *client) seenBy() string {
	time.Sleep(30 * time.Second)
	c.r.engine.Publish(&fanout.Batch{P: 0, Upto: 100}) // a watermark, as comes each second
	time.Sleep(30 * time.Second)
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	v := ""
	for _, m := range c.got {
		if m.str("t") == wire.TCursor {
			v = m.str("v")
		}
	}
	return v
}

func TestAUserIsLoadedOnceForManySockets(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.core.member("u1", "a", 5)
		var all []*client
		for range 20 {
			all = append(all, r.hello("u1", ""))
		}
		if n := r.m.Users(); n != 1 {
			t.Errorf("%d users are loaded", n)
		}
		for k, n := range r.core.interests() {
			if n != 1 {
				t.Errorf("interest %s is held %d times", k, n)
			}
		}
		if n := r.core.frames(); n != 3 { // rooms of u1, room:a, inbox:u1
			t.Errorf("%d interests, want 3", n)
		}
		rec := r.core.member("u1", "b", 100)
		r.m.State([]*wire.StateRecord{rec}, rec.V)
		for _, c := range all {
			if got := types(c.take()); !slices.Equal(got, []string{"welcome", "joined", "live"}) {
				t.Errorf("got %v", got)
			}
		}
		if n := len(r.core.questions(wire.QRoom)); n != 1 {
			t.Errorf("the room was asked for %d times", n)
		}
	})
}

func TestJoinsAndLeavesComeInOrder(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		c := r.hello("u1", "")
		c.one("welcome")
		open := r.core.gate(wire.QRoom) // leaves need no question: they must not overtake
		recs := []*wire.StateRecord{
			r.core.member("u1", "a", 100), r.core.leave("a"), r.core.member("u1", "b", 100), r.core.member("u1", "a", 100), r.core.leave("b"),
		}
		r.m.State(recs, recs[4].V)
		if got := c.take(); len(got) != 0 {
			t.Errorf("got %v before the rooms are known", got)
		}
		open()
		var got []string
		for _, m := range c.take() {
			if m.str("t") != wire.TLive {
				got = append(got, m.str("t")+" "+m.str("ch")+" "+m.str("v"))
			}
		}
		if want := []string{"joined room:a 11", "left room:a 12", "joined room:b 13", "joined room:a 14", "left room:b 15"}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		r.publish(wire.Frame{Ch: "room:a", Seq: 101}, wire.Frame{Ch: "room:b", Seq: 101})
		if m := c.one("message"); m.str("ch") != "room:a" {
			t.Errorf("got %v", m)
		}
	})
}

// A join that was read by the load is not told again; one that raced with it is.
func TestRecordsThatRaceWithTheLoad(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		open := r.core.gate(wire.QHello)
		before := []*wire.StateRecord{r.core.member("u1", "a", 100), r.core.leave("a"), r.core.member("u1", "a", 100)}
		c := r.hello("u1", "") // the answer is read now, and on its way
		after := r.core.member("u1", "b", 100)
		r.m.State(append(before, after), after.V)
		open()
		got := c.take()
		if !slices.Equal(types(got), []string{"welcome", "joined", "live"}) || got[1].str("ch") != "room:b" {
			t.Errorf("got %v, want room:b joined after the welcome", got)
		}
	})
}

// A room that was left since the core answered is not in the welcome: nothing
// else would tell.
func TestALeaveThatOvertakesTheWelcome(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.core.member("u1", "a", 5)
		r.hello("u1", "").one("welcome")
		open := r.core.gate(wire.QHello)
		c := r.hello("u1", "")
		rec := r.core.leave("a")
		r.m.State([]*wire.StateRecord{rec}, rec.V)
		synctest.Wait()
		open()
		if w := c.one("welcome"); w.str("rooms") != "[]" || w.str("rooms_v") != "12" {
			t.Errorf("rooms %s of version %s, want none of version 12", w.str("rooms"), w.str("rooms_v"))
		}
	})
}

// Nobody is told that everything up to a join was seen before the join was told.
func TestSeenNeverPassesAPendingJoin(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		c := r.hello("u1", "")
		open := r.core.gate(wire.QRoom)
		rec := r.core.member("u1", "a", 100)
		r.m.State([]*wire.StateRecord{rec}, rec.V+5)
		time.Sleep(5 * time.Second) // the question's own time is 8 s
		r.m.State(nil, rec.V+6)
		if v := c.seenBy(); v != "10" {
			t.Errorf("seen %s while a join of 11 is pending, want 10", v)
		}
		open()
		if v := c.seenBy(); v != "17" {
			t.Errorf("seen %s after the join, want 17", v)
		}
	})
}

// The same while the user is being loaded, for a session that begins then.
func TestSeenNeverPassesAJoinThatWaitsForTheLoad(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		other := r.hello("u2", "")
		open := r.core.gate(wire.QHello)
		c := r.hello("u1", "")
		rec := r.core.member("u1", "a", 100)
		r.m.State([]*wire.StateRecord{rec}, rec.V)
		openRoom := r.core.gate(wire.QRoom)
		open()
		if a, b := c.seenBy(), other.seenBy(); a != "10" || b != "10" {
			t.Errorf("seen %s and %s while a join of 11 is pending", a, b)
		}
		openRoom()
		if v := c.seenBy(); v != "11" {
			t.Errorf("seen %s after the join", v)
		}
	})
}

// A user that is forgotten with joins on their way holds back nobody's seen.
func TestAForgottenUserHoldsNothingBack(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		other := r.hello("u2", "")
		c := r.hello("u1", "")
		r.core.set(func() { r.core.fail = errors.New("no link") })
		a, b, d := r.core.member("u1", "a", 100), r.core.member("u1", "b", 100), r.core.member("u1", "d", 100)
		r.m.State([]*wire.StateRecord{a, b, d}, d.V)
		_ = c.conn.Close()
		time.Sleep(2 * linger)
		r.core.set(func() { r.core.fail = nil })
		time.Sleep(2 * linger)
		r.m.State(nil, d.V+1)
		if v := other.seenBy(); v != "14" {
			t.Errorf("seen %s, want 14", v)
		}
	})
}

// After the linger nothing is held; within it a user that comes back is still
// loaded.
func TestLingerThenEveryInterestIsGivenBack(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.core.member("u1", "a", 5)
		c := r.hello("u1 may topic:*", `,"topics":["topic:x","topic:x","topic:y"]`)
		c.one("welcome")
		c.send(`{"t":"subscribe","id":1,"ch":"topic:z"}`)
		rec := r.core.member("u1", "b", 100)
		r.m.State([]*wire.StateRecord{rec}, rec.V)
		synctest.Wait()
		if n := r.core.frames(); n != 7 { // rooms, a, b, inbox, x, y, z
			t.Fatalf("%d interests, want 7", n)
		}
		_ = c.conn.Close()
		time.Sleep(linger / 2)
		if n := r.core.frames(); n != 4 {
			t.Errorf("%d interests while the user lingers, want 4", n)
		}
		c = r.hello("u1", "")
		time.Sleep(2 * linger)
		if r.m.Users() != 1 {
			t.Error("a user that came back was forgotten")
		}
		_ = c.conn.Close()
		time.Sleep(2 * linger)
		if held := r.core.interests(); r.m.Users() != 0 || len(held) != 0 || r.m.cfg.Cache.Bytes() != 0 {
			t.Errorf("%d users, interests %v, %d bytes are left", r.m.Users(), held, r.m.cfg.Cache.Bytes())
		}
		if n := r.engine.Numbers().Len(); n > 0 {
			t.Errorf("%d rooms that nobody is in have a number", n)
		}
	})
}

// Another epoch forgets every user, even with joins on their way, and starts
// seen anew at a lower number.
func TestAnotherEpochStartsAfresh(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		old := r.hello("u1", "")
		open := r.core.gate(wire.QRoom)
		a, b := r.core.member("u1", "a", 100), r.core.member("u1", "b", 100)
		r.m.State([]*wire.StateRecord{a, b}, b.V)
		synctest.Wait()

		r.core.set(func() {
			r.core.epoch, r.core.v = "e2", 3
			clear(r.core.members)
			clear(r.core.moved)
		})
		for p := range wire.LogID(logs) {
			r.m.cfg.Cache.Log(p).Restart(50)
		}
		r.m.SetEpoch("e2")
		r.engine.Restart([]wire.Seq{50, 50}, "epoch")
		r.m.State(nil, 3)
		if r.m.Users() != 0 || len(r.core.interests()) != 0 {
			t.Errorf("%d users, interests %v are left", r.m.Users(), r.core.interests())
		}
		open()
		old.ended(wire.CloseReconnect)
		c := r.hello("u1", `,"resume":{"epoch":"e1",`+at100+`,"v":12}`)
		if w := c.one("welcome"); w.str("resumed") != "false" || w.str("cursor") != `{"at":{"0":50,"1":50},"epoch":"e2","v":3}` {
			t.Errorf("got %v", w)
		}
		rec := r.core.member("u1", "c", 50)
		r.m.State([]*wire.StateRecord{rec}, rec.V)
		if got := types(c.take()); !slices.Equal(got, []string{"joined", "live"}) {
			t.Errorf("got %v", got)
		}
		if v := c.seenBy(); v != "4" {
			t.Errorf("seen %s in the new epoch, want 4", v)
		}
	})
}

// A topic that a socket of the old epoch still holds, because its peer is slow
// to close, works for those of the new one.
func TestATopicHeldOverAnEpochComesAlive(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		const topics = `,"topics":["topic:x"]`
		open := r.core.gate(wire.QPublish)
		old := r.hello("u1 may topic:*", topics)
		old.send(`{"t":"publish","id":1,"ch":"topic:x","data":1}`) // keeps the session at work
		synctest.Wait()
		r.core.set(func() { r.core.epoch = "e2" })
		for p := range wire.LogID(logs) {
			r.m.cfg.Cache.Log(p).Restart(50)
		}
		r.m.SetEpoch("e2")
		r.engine.Restart([]wire.Seq{50, 50}, "epoch")
		synctest.Wait()
		c := r.hello("u2 may topic:*", topics)
		c.one("welcome")
		r.publish(wire.Frame{Ch: "topic:x", Seq: 51})
		c.one("message")
		open()
	})
}

// What was said of logs that are gone is not learned for those of now.
func TestNothingIsLearnedOfAnotherEpoch(t *testing.T) {
	for kind, request := range map[wire.QueryKind]string{wire.QRooms: `{"t":"rooms","id":1}`, wire.QHello: ""} {
		bubble(t, func(t *testing.T, r *rig) {
			r.core.member("u1", "a", 5)
			c := r.hello("u1", "")
			c.one("welcome")
			open := r.core.gate(kind)
			if c.send(request); kind == wire.QHello {
				r.hello("u1", "")
			}
			synctest.Wait()
			for p := range wire.LogID(logs) {
				r.m.cfg.Cache.Log(p).Restart(50)
			}
			r.m.SetEpoch("e2")
			r.engine.Restart([]wire.Seq{50, 50}, "epoch")
			r.m.State(nil, 3)
			open()
			synctest.Wait()
			_, room := r.m.objects.Peek("room:a")
			_, user := r.m.objects.Peek("user:u1")
			if room || user || len(r.m.lasts.of) > 0 {
				t.Errorf("%s: learned of the room: %t, of the user: %t, of %d channels", kind, room, user, len(r.m.lasts.of))
			}
		})
	}
}
