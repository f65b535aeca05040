package session

import (
	"testing"
	"time"

	"selvedge/wire"
)

// A join that has come counts for what a client may see, also while its sessions
// can't be told: the core has yet to describe the room.
func TestAPendingJoinIsSeenInAnswers(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.core.doc("room:mine", "name of a")
		c := r.hello("u1", "")
		c.one("welcome")
		open := r.core.gate(wire.QRoom)
		joined := r.core.member("u1", "mine", 100)
		r.m.State([]*wire.StateRecord{joined}, joined.V)
		c.send(`{"t":"get","id":1,"objects":["room:mine"]}`)
		if found, missing := objectsOf(c.one("reply")); found != "room:mine=name of a" {
			t.Errorf("found %q, missing %s", found, missing)
		}
		c.send(`{"t":"members","id":2,"room":"mine"}`)
		if m := c.one("reply"); m.str("members") != `["u1"]` {
			t.Errorf("members of the room: %v", m)
		}
		c.send(`{"t":"search","id":3,"prefix":"u1"}`)
		if m := c.one("reply"); m.str("users") == `[]` {
			t.Errorf("nobody is found: %v", m)
		}
		c.send(`{"t":"rooms","id":4}`)
		c.one("reply")
		if n := len(r.core.questions(wire.QRooms)); n != 1 {
			t.Errorf("%d questions for the rooms, want one: here they are not complete", n)
		}
		left := r.core.leave("mine")
		r.m.State([]*wire.StateRecord{left}, left.V)
		c.send(`{"t":"get","id":5,"objects":["room:mine"]}`)
		if found, missing := objectsOf(c.one("reply")); found != "" {
			t.Errorf("found %q, missing %s after a leave", found, missing)
		}
		open()
	})
}

// What is read in part before the edge hears of the core again is stale, though
// the rest comes from the core afterwards.
func TestStaleWhenItBegan(t *testing.T) {
	for kind, request := range map[string]string{
		"get":    `{"t":"get","id":7,"objects":["user:u2","room:b"]}`,
		"search": `{"t":"search","id":7,"prefix":""}`,
	} {
		bubble(t, func(t *testing.T, r *rig) {
			r.core.member("u1", "a", 5)
			r.core.member("u2", "a", 5)
			r.core.doc("user:u2", "Ann")
			c := r.hello("u1", "")
			c.one("welcome")
			r.core.set(func() { r.core.silent = time.Now() })
			open := r.core.gate(wire.QGet)
			also := r.core.gate(wire.QRoster)
			<-time.After(fresh + time.Second)
			c.send(request)
			<-time.After(time.Second)
			r.core.set(func() { r.core.silent = time.Time{} })
			open()
			also()
			if m := c.one("reply"); m.str("stale") != "true" {
				t.Errorf("%s: %v, want a stale answer", kind, m)
			}
		})
	}
}
