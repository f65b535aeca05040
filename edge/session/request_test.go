package session

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/wire"
)

// answers are the codes or types that a client got, by request id.
func (c *client) answers() map[string]string {
	out := map[string]string{}
	for _, m := range c.take() {
		what := m.str("t")
		if what == wire.TLive {
			continue
		}
		if what == wire.TError {
			what = m.str("code")
		}
		out[m.str("id")] = what
	}
	return out
}

func TestWhatASessionMay(t *testing.T) {
	long := strings.Repeat("x", 300)
	for name, test := range map[string]struct{ send, want string }{
		"publish to a room of one's own":    {`"t":"publish","ch":"room:mine","data":1`, "reply"},
		"publish to a foreign room":         {`"t":"publish","ch":"room:other","data":1`, "forbidden"},
		"publish without the token's leave": {`"t":"publish","ch":"topic:no","data":1`, "forbidden"},
		"publish to no channel":             {`"t":"publish","ch":"nothing","data":1`, "bad_request"},
		"publish without data":              {`"t":"publish","ch":"room:mine"`, "bad_request"},
		"publish with a long id":            {`"t":"publish","ch":"room:mine","data":1,"msg_id":"` + long + `"`, "bad_request"},
		"publish with many refs":            {`"t":"publish","ch":"room:mine","data":1,"refs":["u"` + strings.Repeat(`,"u"`, wire.MaxRefs) + `]`, "too_large"},
		"subscribe":                         {`"t":"subscribe","ch":"topic:ok"`, "reply"},
		"subscribe without leave":           {`"t":"subscribe","ch":"topic:no"`, "forbidden"},
		"subscribe to a room":               {`"t":"subscribe","ch":"room:mine"`, "bad_request"},
		"subscribe to a bad name":           {`"t":"subscribe","ch":"topic:"`, "bad_request"},
		"unsubscribe from nothing":          {`"t":"unsubscribe","ch":"topic:ok"`, "reply"},
		"history of one's room":             {`"t":"history","ch":"room:mine"`, "reply"},
		"history of a foreign room":         {`"t":"history","ch":"room:other"`, "forbidden"},
		"history of one's inbox":            {`"t":"history","ch":"inbox:u1"`, "reply"},
		"history of another's inbox":        {`"t":"history","ch":"inbox:u2"`, "forbidden"},
		"history of a topic":                {`"t":"history","ch":"topic:ok"`, "reply"},
		"history of a topic without leave":  {`"t":"history","ch":"topic:no"`, "forbidden"},
		"history of nothing":                {`"t":"history"`, "bad_request"},
		"history after a word":              {`"t":"history","ch":"room:mine","after":"x"`, "bad_request"},
		"members of one's room":             {`"t":"members","room":"mine"`, "reply"},
		"members of a foreign room":         {`"t":"members","room":"other"`, "forbidden"},
		"members after a number":            {`"t":"members","room":"mine","after":7`, "bad_request"},
		"rooms":                             {`"t":"rooms"`, "reply"},
		"get":                               {`"t":"get","objects":["user:u1"]`, "reply"},
		"get nothing":                       {`"t":"get"`, "bad_request"},
		"an unknown type":                   {`"t":"dance"`, "bad_request"},
		"refresh":                           {`"t":"refresh","token":"u1"`, "reply"},
		"refresh with another's token":      {`"t":"refresh","token":"u2"`, "unauthorized"},
		"refresh with an expired token":     {`"t":"refresh","token":"expired"`, "unauthorized"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.core.member("u1", "mine", 5)
				c := r.hello("u1 may room:* topic:ok inbox:u1", "")
				c.one("welcome")
				c.send(`{"id":7,` + test.send + `}`)
				if got := c.answers(); len(got) != 1 || got["7"] != test.want {
					t.Errorf("%s: got %v, want %s", test.send, got, test.want)
				}
				asked := len(r.core.questions(wire.QPublish)) + len(r.core.questions(wire.QHistory)) + len(r.core.questions(wire.QMembers)) + len(r.core.questions(wire.QGet))
				if test.want != "reply" && asked > 0 {
					t.Error("the core was asked what is not allowed")
				}
			})
		})
	}
}

func TestEmptyAnswersAreEmptyLists(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.core.member("u1", "a", 5)
		c := r.hello("u1", "")
		c.one("welcome")
		c.send(`{"t":"get","id":1,"objects":["user:x"]}`, `{"t":"members","id":2,"room":"a"}`, `{"t":"rooms","id":3}`, `{"t":"history","id":4,"ch":"room:a"}`)
		lists := 0
		for _, m := range c.take() {
			for _, f := range []string{"missing", "members", "rooms", "frames"} {
				if v, ok := m[f]; ok {
					lists++
					if v == nil {
						t.Errorf("%s of answer %s is null", f, m.str("id"))
					}
				}
			}
			if v, ok := m["objects"]; ok && v == nil {
				t.Error("objects is null")
			}
		}
		if lists != 4 {
			t.Errorf("%d lists came, want 4", lists)
		}
	})
}

func TestPingIsAnswered(t *testing.T) {
	bubble(t, func(_ *testing.T, r *rig) {
		c := r.dial().send(`{"t":"hello","token":"u1"}`, `{"t":"ping"}`)
		if got := types(c.take()); !slices.Equal(got, []string{"welcome", "pong"}) {
			r.t.Errorf("got %v", got)
		}
	})
}

// Posts of a session reach the core in order, one at a time, each with an id,
// so that asking again is harmless.
func TestPostsStayInOrder(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		open := r.core.gate(wire.QPublish)
		c := r.hello("u1 may topic:*", "")
		c.one("welcome")
		for i := range 20 {
			c.send(fmt.Sprintf(`{"t":"publish","id":%d,"ch":"topic:x","data":%d}`, i+1, i+1))
		}
		synctest.Wait()
		if n := len(r.core.questions(wire.QPublish)); n != 1 {
			t.Errorf("%d posts are under way at once, want 1", n)
		}
		open()
		got := c.take()
		for i, m := range got {
			if m.str("id") != fmt.Sprint(i+1) || m.str("seq") != fmt.Sprint(1001+i) || m.str("epoch") != "e1" {
				t.Fatalf("answer %d is %v", i, m)
			}
		}
		ids := map[string]bool{}
		for i, q := range r.core.questions(wire.QPublish) {
			ids[q.MsgID] = true
			if q.Data.String() != fmt.Sprint(i+1) || q.From != "u1" || q.MsgID == "" {
				t.Errorf("post %d is %+v", i, q)
			}
		}
		if len(got) != 20 || len(ids) != 20 {
			t.Errorf("%d answers, %d ids, want 20 each", len(got), len(ids))
		}
	})
}

// After a post that was not appended, those of its channel behind it are not
// tried: they would overtake it when it is sent again (rule 9).
func TestNothingOvertakesAFailedPost(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		open := r.core.gate(wire.QPublish)
		c := r.hello("u1 may topic:*", "")
		c.one("welcome")
		r.core.set(func() {
			r.core.answer = func(q *wire.Query) *wire.Answer {
				if q.T == wire.QPublish && q.Data.String() == "1" {
					return &wire.Answer{Err: &wire.Error{Code: wire.Unavailable, Message: "later"}}
				}
				return nil
			}
		})
		c.send(`{"t":"publish","id":1,"ch":"topic:x","data":1}`, `{"t":"publish","id":2,"ch":"topic:x","data":2}`, `{"t":"publish","id":3,"ch":"topic:y","data":3}`)
		synctest.Wait()
		open()
		if got := c.answers(); got["1"] != "unavailable" || got["2"] != "unavailable" || got["3"] != "reply" {
			t.Errorf("got %v", got)
		}
		r.core.set(func() { r.core.answer = nil })
		c.send(`{"t":"publish","id":4,"ch":"topic:x","data":1}`)
		if got := c.answers(); got["4"] != "reply" {
			t.Errorf("sent again: %v", got)
		}
	})
}

// On a session that is never idle, a channel is open again as soon as all is told
// that waited behind the post that failed.
func TestAFailedPostIsOverOnABusySession(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		var gate chan struct{} // the core answers one question for each token
		r.core.set(func() {
			gate = make(chan struct{})
			r.core.hold[wire.QPublish] = gate
		})
		c := r.hello("u1 may topic:*", "")
		c.one("welcome")
		r.core.set(func() {
			r.core.answer = func(q *wire.Query) *wire.Answer {
				if q.T == wire.QPublish && q.Data.String() == "1" {
					return &wire.Answer{Err: &wire.Error{Code: wire.Unavailable, Message: "later"}}
				}
				return nil
			}
		})
		c.send(`{"t":"publish","id":1,"ch":"topic:x","data":1}`, `{"t":"publish","id":2,"ch":"topic:x","data":2}`, `{"t":"publish","id":3,"ch":"topic:y","data":3}`)
		synctest.Wait()
		answer := func() {
			select {
			case gate <- struct{}{}:
			default:
				t.Error("nothing is asked for")
			}
			synctest.Wait()
		}
		answer() // the first one fails, the second is refused, the third is asked for
		// What the client sends when it knows comes while the third is on its way.
		c.send(`{"t":"publish","id":4,"ch":"topic:x","data":4}`, `{"t":"publish","id":5,"ch":"topic:x","data":5}`)
		synctest.Wait()
		for range 3 {
			answer()
		}
		got := c.answers()
		for id, want := range map[string]string{"1": "unavailable", "2": "unavailable", "3": "reply", "4": "reply", "5": "reply"} {
			if got[id] != want {
				t.Errorf("post %s: %s, want %s", id, got[id], want)
			}
		}
		if n := len(r.core.questions(wire.QPublish)); n != 4 {
			t.Errorf("%d posts were tried, want all but the second", n)
		}
	})
}

func TestWithoutACoreRequestsAreUnavailable(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		c := r.hello("u1 may topic:*", "")
		c.one("welcome")
		r.core.set(func() { r.core.fail = errors.New("no link") })
		c.send(`{"t":"publish","id":1,"ch":"topic:x","data":1}`, `{"t":"history","id":2,"ch":"inbox:u1"}`)
		if got := c.answers(); got["1"] != "unavailable" || got["2"] != "unavailable" {
			t.Errorf("got %v", got)
		}
	})
}

func TestTopicsAreDeliveredBetweenSubscribeAndUnsubscribe(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		c := r.hello("u1 may topic:*", "")
		c.one("welcome")
		c.send(`{"t":"subscribe","id":1,"ch":"topic:x"}`)
		got := c.take()
		if !slices.Equal(types(got), []string{"reply", "live"}) || got[0].str("seq") != "100" || got[0].str("epoch") != "e1" {
			t.Fatalf("got %v", got)
		}
		r.publish(wire.Frame{Ch: "topic:x", Seq: 101})
		c.one("message")
		c.send(`{"t":"subscribe","id":2,"ch":"topic:x"}`) // had it already
		if got := c.answers(); got["2"] != "reply" {
			t.Errorf("got %v", got)
		}
		c.send(`{"t":"unsubscribe","id":3,"ch":"topic:x"}`)
		c.one("reply")
		r.publish(wire.Frame{Ch: "topic:x", Seq: 102, Prev: 101})
		if got := c.take(); len(got) != 0 {
			t.Errorf("got %v after unsubscribe", got)
		}
		if n := len(r.core.interests()); n != 2 { // rooms and inbox of u1
			t.Errorf("%d interests, want 2", n)
		}
	})
}

func TestTopicsOfASessionAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		c := r.hello("u1 may topic:*", "")
		for i := range maxTopics + 1 {
			c.send(fmt.Sprintf(`{"t":"subscribe","id":%d,"ch":"topic:%d"}`, i+1, i))
		}
		got := c.answers()
		if got[fmt.Sprint(maxTopics)] != "reply" || got[fmt.Sprint(maxTopics+1)] != "rate_limited" {
			t.Errorf("the last two answers are %s and %s", got[fmt.Sprint(maxTopics)], got[fmt.Sprint(maxTopics+1)])
		}
	})
}

func TestSignalsReachTheOthersHereAndTheCore(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		for _, u := range []wire.UserID{"u1", "u2"} {
			r.core.member(u, "a", 5)
		}
		one, two, not := r.hello("u1 may room:*", ""), r.hello("u2", ""), r.hello("u3 may room:*", "")
		for _, c := range []*client{one, two, not} {
			c.one("welcome")
		}
		one.send(`{"t":"signal","ch":"room:a","data":{"typing":true}}`)
		if s := two.one("signal"); s.str("from") != "u1" || s.str("data") != `{"typing":true}` {
			t.Errorf("got %v", s)
		}
		two.send(`{"t":"signal","ch":"room:a","data":1}`) // the token doesn't allow it
		not.send(`{"t":"signal","ch":"room:a","data":1}`) // no member
		if a, b, c := one.take(), two.take(), not.take(); len(a)+len(b)+len(c) != 0 {
			t.Errorf("got %v, %v, %v", a, b, c)
		}
		if n := len(r.core.signals); n != 1 {
			t.Errorf("%d signals went to the core, want 1", n)
		}
	})
}

func TestAnExpiredTokenClosesUnlessRefreshed(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		one, two := r.hello("u1", ""), r.hello("u2", "")
		time.Sleep(30 * time.Minute)
		two.send(`{"t":"refresh","id":1,"token":"u2"}`)
		time.Sleep(30 * time.Minute)
		one.ended(0)
		time.Sleep(leeway + 2*r.m.cfg.Ping)
		one.ended(wire.CloseExpired)
		two.ended(0)
	})
}
