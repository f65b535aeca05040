package session

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/edge/upstream"
	"selvedge/wire"
)

// welcomeOf is what a welcome says that must not depend on who gives it.
func welcomeOf(m message) string {
	delete(m, "session")
	rooms, _ := m["rooms"].([]any)
	var ids []any
	for _, r := range rooms {
		if room, ok := r.(map[string]any); ok {
			ids = append(ids, room["id"], room["seq"], room["member_count"], room["v"])
		}
	}
	return fmt.Sprint(m.str("user"), ids, m["more"], m["rooms_v"], m["resumed"])
}

// A user who is here already, and of whose rooms all is known, is welcome without
// the core; and as by the core.
func TestWelcomeWithoutTheCore(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		for i := range 5 {
			r.core.member("u1", wire.RoomID(fmt.Sprint("r", i)), 5)
		}
		r.core.doc("user:u1", "Ann")
		r.hello("u1", "").one("welcome") // loads
		byCore := r.hello("u1", "").one("welcome")
		r.m.State(nil, 100) // what was asked for is live, and told
		asked := len(r.core.questions(wire.QHello))
		r.core.set(func() { r.core.fail = errors.New("no link") })
		here := r.hello("u1", "")
		if w := here.one("welcome"); welcomeOf(w) != welcomeOf(byCore) {
			t.Errorf("%s\n%s", welcomeOf(w), welcomeOf(byCore))
		}
		if n := len(r.core.questions(wire.QHello)); n != asked {
			t.Errorf("the core was asked %d times more", n-asked)
		}
		// It gets what comes, as others do.
		r.post("room:r3", "")
		if got := types(here.take()); fmt.Sprint(got) != "[message]" {
			t.Errorf("got %v", got)
		}
		// And the room that was active comes first in the next welcome.
		w := r.hello("u1", "").one("welcome")
		if rooms, _ := w["rooms"].([]any); len(rooms) != 5 || rooms[0].(map[string]any)["id"] != "r3" {
			t.Errorf("rooms: %v", rooms)
		}
	})
}

// Who resumes is welcome without the core, too, unless memberships have changed
// since.
func TestResumeWithoutTheCore(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.core.member("u1", "a", 5)
		for range 2 {
			r.hello("u1", "").one("welcome")
		}
		r.m.State(nil, 100)
		asked := func() int { return len(r.core.questions(wire.QHello)) }
		before := asked()
		resume := func(v int) *client {
			return r.hello("u1", fmt.Sprintf(`,"resume":{"epoch":"e1",%s,"v":%d}`, at100, v))
		}
		if w := resume(50).one("welcome"); w.str("resumed") != "true" || asked() != before {
			t.Errorf("%v, asked %d times", w, asked()-before)
		}
		if got := types(resume(3).take()); fmt.Sprint(got) != "[welcome joined live]" || asked() != before+1 {
			t.Errorf("of memberships that changed: %v, asked %d times", got, asked()-before)
		}
		ahead := resume(200)
		if got := ahead.take(); len(got) != 0 || asked() != before+2 {
			t.Errorf("of one who knows more than this edge: %v, asked %d times", got, asked()-before)
		}
		r.m.State(nil, 200)
		if w := ahead.one("welcome"); w.str("resumed") != "true" || asked() != before+2 {
			t.Errorf("of one who knew more than this edge: %v, asked %d times", w, asked()-before)
		}
		r.core.set(func() { r.core.silent = time.Now().Add(-time.Minute) })
		r.hello("u1", "").one("welcome")
		if asked() != before+3 {
			t.Error("what is known is old, and was told as new")
		}
	})
}

// What others join does not keep a client from being welcomed here whose own
// memberships began before its position.
func TestOthersJoinsKeepNobodyOut(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.core.member("u1", "a", 90)
		whys := r.reasons()
		for range 2 {
			r.hello("u1", "").one("welcome")
		}
		<-time.After(2 * turnTime)
		other := r.hello("u2", "")
		other.one("welcome")
		join := func(user wire.UserID, room wire.RoomID) {
			rec := r.core.member(user, room, 100)
			r.m.State([]*wire.StateRecord{rec}, rec.V)
			other.take()
		}
		join("u2", "b")
		resume := fmt.Sprintf(`,"resume":{"epoch":"e1","at":{"0":95,"1":95},"v":%d}`, 11)
		clear(whys)
		if got := types(r.hello("u1", resume).take()); fmt.Sprint(got) != "[welcome]" || len(whys) > 0 {
			t.Errorf("got %v; the core was asked for want of %v", got, whys)
		}
		join("u1", "c")
		r.hello("u1", `,"resume":{"epoch":"e1","at":{"0":95,"1":95},"v":13}`)
		if fmt.Sprint(whys) != "map[beginning:1]" {
			t.Errorf("a position before its own beginning: asked for want of %v", whys)
		}
	})
}

// reasons counts why the core is asked for welcomes.
func (r *rig) reasons() map[string]int {
	whys := map[string]int{}
	r.m.cfg.Events.Asked = func(why string) { whys[why]++ }
	return whys
}

// A room that was quiet when the core told of the user's others, and is active now, is
// asked for by itself, once for all who lack it, and described as it is.
func TestARoomThatWakesUpIsAskedFor(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		w := newTown(r, 1)
		for i := range 3 * welcomeRooms {
			id := wire.RoomID(fmt.Sprint("r", i))
			w.joined = append(w.joined, id)
			r.core.member("u1", id, 100)
			w.write(id, int64(i)+1)
		}
		w.visit("the first")
		w.visit("the second")
		w.write("r0", 1000)
		w.bring(wire.LogOf("room:r0", logs))
		hellos, whys := len(r.core.questions(wire.QHello)), r.reasons()
		open := r.core.gate(wire.QRoom)
		var all []*client
		for range 5 {
			all = append(all, r.hello("u1", ""))
		}
		w.write("r0", 1001) // while it is asked for
		w.bring(wire.LogOf("room:r0", logs))
		synctest.Wait()
		open()
		for _, c := range all {
			rooms, _ := c.take()[0]["rooms"].([]any)
			if room := message(rooms[0].(map[string]any)); len(rooms) != welcomeRooms || room.str("id") != "r0" || room.str("ts") != "1001" || room.str("member_count") != "1" {
				t.Errorf("%d rooms, the first is %v", len(rooms), room)
			}
		}
		if n := len(r.core.questions(wire.QRoom)); n != 1 || len(r.core.questions(wire.QHello)) != hellos || fmt.Sprint(whys) != "map[room:5]" {
			t.Errorf("asked for the room %d times, for hellos %d times, for want of %v", n, len(r.core.questions(wire.QHello))-hellos, whys)
		}
		w.visit("the last")
		if fmt.Sprint(whys) != "map[room:5]" {
			t.Errorf("the room that was asked for is not known: %v", whys)
		}
	})
}

// A welcome of large documents has as many as the core's would have.
func TestAWelcomeHoldsNoMoreThanOneOfTheCore(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		const rooms, size = 60, 10 << 10
		w := newTown(r, 1)
		w.doc = encoded(strings.Repeat("x", size))
		for i := range rooms {
			id := wire.RoomID(fmt.Sprint("r", i))
			w.joined = append(w.joined, id)
			r.core.member("u1", id, 100)
			w.write(id, 1)
		}
		whys := r.reasons()
		for range 3 {
			w.visit("any")
		}
		w.write("r59", 2)
		w.visit("with one more")
		if fmt.Sprint(whys) != "map[room:1 user:1]" {
			t.Errorf("asked for want of %v", whys)
		}
	})
}

// A question of a client that knows more than this edge is answered in the moment in
// which the edge has come to know it.
func TestCatchUpWaitsForThePosition(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.core.member("u1", "mine", 5)
		r.core.set(func() { r.core.v = 50 })
		c := r.hello("u1", `,"resume":{"epoch":"e1",`+at100+`,"v":30}`) // the core has told of all of it
		c.one("welcome")
		begun := time.Now()
		c.send(`{"t":"get","id":1,"objects":["user:u1"]}`)
		r.m.State(nil, 29)
		if got := c.take(); len(got) != 0 {
			t.Errorf("answered before: %v", got)
		}
		r.m.State(nil, 30)
		c.one("reply")
		if took := time.Since(begun); took != 0 {
			t.Errorf("it took %v", took)
		}
		if n := len(r.m.seen.waiting); n != 0 {
			t.Errorf("%d still wait", n)
		}
	})
}

// Who waits for a position is told when it won't come: the question is over, or the
// logs are others.
func TestAwaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := seen{busy: map[*op]wire.Seq{}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.await(ctx, 5, false); !errors.Is(err, context.DeadlineExceeded) || len(s.waiting) > 0 {
			t.Errorf("%v, %d wait", err, len(s.waiting))
		}
		o := &op{}
		s.begin(o, 5)
		var got []error
		for _, told := range []bool{false, true} {
			go func() { got = append(got, s.await(t.Context(), 5, told)) }()
		}
		s.advance(7, func(wire.Seq) {})
		synctest.Wait()
		if len(got) != 1 || got[0] != nil {
			t.Fatalf("taken, but not told: %v", got)
		}
		s.reset()
		synctest.Wait()
		if len(got) != 2 || !errors.Is(got[1], upstream.ErrUnavailable) {
			t.Errorf("the logs are others: %v", got)
		}
	})
}
