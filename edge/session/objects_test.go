package session

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/edge/cache"
	"selvedge/edge/fanout"
	"selvedge/wire"
)

// doc sets a document, and returns the record for the state log.
func (c *core) doc(key, name string) *wire.StateRecord {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.v++
	kind, id, _ := strings.Cut(key, ":")
	rec := &wire.StateRecord{Kind: wire.StateKind(kind), V: c.v, Data: encoded(map[string]string{"name": name})}
	if kind == "room" {
		rec.Room = wire.RoomID(id)
	} else {
		rec.User = wire.UserID(id)
	}
	c.docs[key] = wire.Object{V: rec.V, Data: rec.Data}
	return rec
}

// objects are the documents of a reply, "key=name" in order, and what is missing.
func objectsOf(m message) (found, missing string) {
	objects, _ := m["objects"].(map[string]any)
	var list []string
	for _, key := range []string{"user:u1", "user:u2", "user:u3", "user:u4", "room:mine", "room:other", "user:..", "x"} {
		if o, ok := objects[key].(map[string]any); ok {
			data, _ := o["data"].(map[string]any)
			list = append(list, fmt.Sprint(key, "=", data["name"]))
		}
	}
	return strings.Join(list, " "), m.str("missing")
}

// A session sees itself, its rooms, and who shares one of them: all else is
// missing, whether it exists or not.
func TestWhoSeesWhat(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		for user, room := range map[wire.UserID]wire.RoomID{"u1": "mine", "u2": "mine", "u3": "other"} {
			r.core.member(user, room, 5)
			r.core.doc("user:"+string(user), "name of "+string(user))
			r.core.doc("room:"+string(room), "name of "+string(room))
		}
		c := r.hello("u1", "")
		c.one("welcome")
		for range 2 { // from the core, then from here
			c.send(`{"t":"get","id":1,"objects":["user:u1","user:u2","user:u2","user:u3","user:u4","room:mine","room:other","user:..","x"]}`)
			found, missing := objectsOf(c.one("reply"))
			if found != "user:u1=name of u1 user:u2=name of u2 room:mine=name of mine" {
				t.Errorf("found %s", found)
			}
			if missing != `["user:u3","user:u4","room:other","user:..","x"]` {
				t.Errorf("missing %s", missing)
			}
		}
		gets := 0
		for _, q := range r.core.questions(wire.QGet) {
			for _, key := range q.Keys {
				gets++
				if key == "user:u3" || key == "room:other" {
					t.Errorf("asked for %s", key)
				}
			}
		}
		if gets != 3 {
			t.Errorf("the core was asked for %d documents, want 3", gets)
		}
		// Who leaves the room is not seen any more, and the room is not.
		rec := r.core.leave("mine")
		r.m.State([]*wire.StateRecord{rec}, rec.V)
		c.one("left")
		c.send(`{"t":"get","id":2,"objects":["user:u1","user:u2","room:mine"]}`)
		if found, missing := objectsOf(c.one("reply")); found != "user:u1=name of u1" {
			t.Errorf("found %s, missing %s", found, missing)
		}
	})
}

// However many sessions ask, the core is asked once for each object; and not at
// all for what is known here, even without a link.
func TestOneQuestionForAll(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.core.doc("user:u2", "Ann")
		r.core.member("u2", "mine", 5)
		var all []*client
		r.core.member("u1", "mine", 5)
		for range 50 {
			all = append(all, r.hello("u1", ""))
		}
		open := r.core.gate(wire.QGet)
		for _, c := range all {
			c.send(`{"t":"get","id":1,"objects":["user:u2"]}`)
		}
		synctest.Wait()
		open()
		synctest.Wait()
		if n := len(r.core.questions(wire.QGet)); n != 1 {
			t.Errorf("%d questions", n)
		}
		r.core.set(func() { r.core.fail = errors.New("no link") })
		for _, c := range all {
			c.take()
			c.send(`{"t":"get","id":2,"objects":["user:u2"]}`)
			if found, _ := objectsOf(c.one("reply")); found != "user:u2=Ann" {
				t.Errorf("found %q", found)
			}
		}
	})
}

// Who guesses ids is stopped, and others are not.
func TestGuessesAreLimited(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.core.member("u1", "mine", 5)
		c := r.hello("u1", "")
		c.one("welcome")
		guess := func(n int) string {
			var keys []string
			for i := range 100 {
				keys = append(keys, fmt.Sprintf(`"user:guess-%d-%d"`, n, i))
			}
			c.send(fmt.Sprintf(`{"t":"get","id":%d,"objects":[%s]}`, n+1, strings.Join(keys, ",")))
			return c.answers()[fmt.Sprint(n+1)]
		}
		refused := 0
		for n := range 2 * guessBurst / 100 {
			if guess(n) == "rate_limited" {
				refused++
			}
		}
		if refused < 15 || refused > 25 {
			t.Errorf("%d of %d were refused", refused, 2*guessBurst/100)
		}
		other := r.hello("u1", "")
		other.one("welcome")
		other.send(`{"t":"get","id":1,"objects":["user:guess"]}`)
		other.one("reply")
		time.Sleep(time.Minute)
		if got := guess(1000); got != "reply" {
			t.Errorf("a minute later: %s", got)
		}
	})
}

// A watched object comes with each change, as long as it is watched, and the
// session may see it.
func TestWatch(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.core.member("u1", "mine", 5)
		leaves := r.core.member("u2", "mine", 5)
		r.core.doc("user:u2", "Ann")
		c := r.hello("u1", "")
		c.one("welcome")
		c.send(`{"t":"get","id":1,"objects":["user:u2","room:mine"],"watch":true}`)
		c.one("reply")
		change := func(rec *wire.StateRecord) []string {
			r.m.State([]*wire.StateRecord{rec}, rec.V)
			var got []string
			for _, m := range c.take() {
				if data, ok := m["data"].(map[string]any); ok && m["t"] == "object" {
					got = append(got, fmt.Sprint(m["key"], "=", data["name"]))
				}
			}
			return got
		}
		if got := change(r.core.doc("user:u2", "Bea")); fmt.Sprint(got) != "[user:u2=Bea]" {
			t.Errorf("told of %v", got)
		}
		if got := change(r.core.doc("room:mine", "Hall")); fmt.Sprint(got) != "[room:mine=Hall]" {
			t.Errorf("told of %v", got)
		}
		c.send(`{"t":"unwatch","id":2,"rooms":["mine"]}`)
		c.one("reply")
		if got := change(r.core.doc("room:mine", "Cave")); len(got) != 0 {
			t.Errorf("told of %v, which is not watched", got)
		}
		// u2 leaves the room that both are in.
		r.core.set(func() { delete(r.core.members, "u2"); r.core.v++ })
		gone := &wire.StateRecord{Kind: wire.StateMember, Room: "mine", User: "u2", Deleted: true, V: leaves.V + 100}
		r.m.State([]*wire.StateRecord{gone}, gone.V)
		r.core.set(func() { r.core.v = gone.V })
		if got := change(r.core.doc("user:u2", "Cleo")); len(got) != 0 {
			t.Errorf("told of %v, who shares no room any more", got)
		}
	})
}

// Before a message comes its author, once; one that has to be asked for follows.
func TestAuthors(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.core.member("u1", "mine", 5)
		r.core.doc("user:u2", "Ann")
		c := r.hello("u1", "")
		c.one("welcome")
		post := func() string {
			r.post("room:mine", "u2")
			var got []string
			for _, m := range c.take() {
				got = append(got, m.str("t"))
			}
			return strings.Join(got, " ")
		}
		if got := post(); got != "message object" {
			t.Errorf("got %s", got)
		}
		if got := post(); got != "message" {
			t.Errorf("got %s", got)
		}
		rec := r.core.doc("user:u2", "Bea")
		r.m.State([]*wire.StateRecord{rec}, rec.V)
		if got := post(); got != "object message" {
			t.Errorf("after a change: got %s", got)
		}
	})
}

// Who is mentioned is shown to the room if that is a member of it.
func TestMentions(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.core.member("u1", "mine", 5)
		r.core.member("u2", "mine", 5)
		for _, key := range []string{"user:u1", "user:u2", "user:stranger"} {
			r.core.doc(key, "Ann")
		}
		c := r.hello("u1", "")
		c.one("welcome")
		for _, want := range []string{"message object user:u2", "message"} {
			r.post("room:mine", "", "u2", "stranger")
			var got []string
			for _, m := range c.take() {
				if got = append(got, m.str("t")); m.str("t") == "object" {
					got = append(got, m.str("key"))
				}
			}
			if strings.Join(got, " ") != want {
				t.Errorf("got %v, want %s", got, want)
			}
		}
	})
}

// Search brings whose name begins so, of a room or of all rooms, to its members.
func TestSearch(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		for user, name := range map[wire.UserID]string{"u1": "José", "u2": "Josephine", "u3": "Ann Joseph"} {
			r.core.member(user, "mine", 5)
			r.core.doc("user:"+string(user), name)
		}
		r.core.member("u1", "b", 5)
		r.core.member("u4", "b", 5)
		r.core.doc("user:u4", "Jost")
		c := r.hello("u1", "")
		c.one("welcome")
		for request, want := range map[string]string{
			`"room":"mine","prefix":"jose"`:           "u1 u2 u3",
			`"room":"mine","prefix":"jose","limit":1`: "u1",
			`"prefix":"jos"`:                          "u1 u2 u4 u3",
			`"room":"b","prefix":"u4"`:                "u4",
		} {
			c.send(`{"t":"search","id":1,` + request + `}`)
			var got []string
			users, _ := c.one("reply")["users"].([]any)
			for _, u := range users {
				info, _ := u.(map[string]any)
				got = append(got, fmt.Sprint(info["id"]))
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%s: %v, want %s", request, got, want)
			}
		}
		c.send(`{"t":"search","id":2,"room":"other","prefix":"j"}`)
		if got := c.answers(); got["2"] != "forbidden" {
			t.Errorf("a foreign room: %v", got)
		}
	})
}

// post publishes a message of a user to a channel, which mentions others.
func (r *rig) post(name wire.Channel, from string, refs ...string) {
	r.t.Helper()
	p := wire.LogOf(name, logs)
	l := r.core.cache.Log(p)
	body := wire.AppendBody(nil, &wire.Post{Ch: name, From: from, Refs: refs, TS: 1, Data: wire.Data{0x01}})
	f, err := cache.ParseFrame(wire.AppendFrame(nil, p, l.Pos()+1, l.Pos(), body))
	if err != nil {
		r.t.Fatal(err)
	}
	kept := l.Append([]*cache.Frame{f}, f.Seq)
	r.m.Passed(kept)
	r.engine.Publish(&fanout.Batch{P: p, Frames: kept, Upto: l.Pos()})
}
