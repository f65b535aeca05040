package session

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"selvedge/wire"
)

// short is a message in short.
func short(m message) string {
	switch m.str("t") {
	case wire.TMessage, wire.TActivity, wire.TLive, wire.TJoined, wire.TLeft:
		return fmt.Sprint(m.str("t"), " ", m.str("ch"), " ", m.str("seq"))
	case wire.TReply:
		return "reply " + m.str("late")
	default:
		return m.str("t")
	}
}

// hears checks what came.
func (c *client) hears(want ...string) {
	c.r.t.Helper()
	var got []string
	for _, m := range c.take() {
		got = append(got, short(m))
	}
	if !slices.Equal(got, want) {
		c.r.t.Errorf("heard %q, want %q", got, want)
	}
}

// next publishes the next frame of a room.
func (r *rig) next(id string) {
	r.t.Helper()
	r.post("room:"+wire.Channel(id), "")
	synctest.Wait()
}

// A room that a client looks at before it is a member of it shows nothing, and all
// from the join on; whether the hello said so, or a message.
func TestFocusOnAStrangersRoom(t *testing.T) {
	for _, first := range []bool{true, false} {
		bubble(t, func(t *testing.T, r *rig) {
			r.core.member("u1", "a", 5)
			r.core.member("u2", "new", 5)
			r.hello("u2", "").one("welcome") // so that its frames come here
			hello := ""
			if first {
				hello = `,"focus":["new"]`
			}
			c := r.hello("u1", hello)
			c.hears("welcome")
			if !first {
				c.send(`{"t":"focus","id":1,"rooms":["new"]}`).hears("reply null")
			}
			r.next("new") // 101
			c.hears()
			joined := r.core.member("u1", "new", 101)
			r.m.State([]*wire.StateRecord{joined}, joined.V)
			c.hears("joined room:new null", "live room:new 101")
			r.next("new")
			r.next("a")
			c.hears("message room:new 102", fmt.Sprint("activity room:a ", r.m.cfg.Cache.Log(wire.LogOf("room:a", logs)).Pos()))
			left := r.core.leave("new")
			r.m.State([]*wire.StateRecord{left}, left.V)
			c.hears("left room:new null")
			r.next("new")
			c.hears()
		})
	}
}

// A focus that makes no sense is refused, and changes nothing.
func TestFocusIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.core.member("u1", "a", 5)
		c := r.hello("u1", `,"focus":[]`)
		c.hears("welcome")
		many := `"a"`
		for range wire.MaxFocus {
			many += `,"a"`
		}
		for _, rooms := range []string{`"a"`, `[""]`, `[".."]`, `[1]`, `{}`, `[` + many + `]`} {
			c.send(`{"t":"focus","id":1,"rooms":` + rooms + `}`)
			if got := c.answers(); got["1"] != string(wire.BadRequest) {
				t.Errorf("%.30s: %v", rooms, got)
			}
		}
		r.next("a")
		c.hears("activity room:a 101")
		c.send(`{"t":"focus","id":2,"rooms":["a","a"]}`).hears(`reply {"room:a":100}`, "message room:a 101", "live room:a 101")
	})
}

// Sessions of one user look at different rooms; changes that come in one go count in
// their order.
func TestFocusIsASessions(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.core.member("u1", "a", 5)
		one := r.hello("u1", `,"focus":["a"]`)
		two := r.hello("u1", `,"focus":[]`)
		one.hears("welcome")
		two.hears("welcome")
		r.next("a")
		one.hears("message room:a 101")
		two.hears("activity room:a 101")
		two.send(`{"t":"focus","id":1,"rooms":null}`, `{"t":"focus","id":2,"rooms":["other"]}`, `{"t":"focus","id":3,"rooms":["a"]}`)
		two.hears(`reply {"room:a":100}`, "message room:a 101", "live room:a 101", "reply null", `reply {"room:a":101}`, "live room:a 101")
		one.hears()
		r.next("a")
		one.hears("message room:a 102")
		two.hears("message room:a 102")
	})
}

// A resume says its focus anew: a room out of it gives one activity, and one in it what
// was missed, from the room's own position if it has one.
func TestResumeWithFocus(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		for _, id := range []wire.RoomID{"a", "b", "c"} {
			r.core.member("u1", id, 5)
		}
		keep := r.hello("u1", "")
		keep.hears("welcome")
		for range 3 {
			for _, id := range []string{"a", "b", "c"} {
				r.next(id)
			}
		}
		keep.take()
		ends := map[string]wire.Seq{}
		for _, id := range []string{"a", "b"} {
			ch := r.m.cfg.Cache.Find("room:" + wire.Channel(id))
			ends[id], _, _ = ch.Last()
		}
		c := r.hello("u1", fmt.Sprintf(`,"focus":["a"],"resume":{"epoch":"e1",%s,"v":13,"behind":{"room:a":%d,"room:b":%d,"room:stranger":7}}`, at100, ends["a"]-1, ends["b"]))
		got := c.take()
		var heard []string
		for _, m := range got {
			if s := short(m); m.str("ch") != "room:c" {
				heard = append(heard, s)
			}
		}
		pos := r.m.cfg.Cache.Log(wire.LogOf("room:a", logs)).Pos()
		if want := []string{"welcome", fmt.Sprint("message room:a ", ends["a"]), fmt.Sprint("live room:a ", pos)}; !slices.Equal(heard, want) {
			t.Errorf("heard %q, want %q", heard, want)
		}
		activities := 0
		for _, m := range got {
			if m.str("t") == wire.TActivity && m.str("ch") == "room:c" {
				activities++
			}
		}
		if activities != 1 {
			t.Errorf("told %d times of a room out of focus: %v", activities, got)
		}
		c.send(`{"t":"focus","id":1,"rooms":["b"]}`)
		if got := c.take(); len(got) < 2 || short(got[0]) != fmt.Sprintf(`reply {"room:b":%d}`, ends["b"]) || short(got[1]) != fmt.Sprint("live room:b ", r.m.cfg.Cache.Log(wire.LogOf("room:b", logs)).Pos()) {
			t.Errorf("heard %v", got)
		}
	})
}
