package session

import (
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/edge/websocket"
	"selvedge/wire"
)

func TestHelloIsWelcomed(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.core.member("u1", "a", 5)
		c := r.hello("u1", "")
		w := c.one("welcome")
		for field, want := range map[string]string{
			"user": `{"data":{},"id":"u1","v":0}`, "rooms_v": "11", "resumed": "false", "ping": "25",
			"cursor": `{"at":{"0":100,"1":100},"epoch":"e1","v":11}`, "edge": `{"id":"edge-1","region":"eu-west"}`,
			"rooms": `[{"data":{},"id":"a","member_count":1,"p":` + wire.LogOf("room:a", logs).String() + `,"seq":0,"v":0}]`,
		} {
			if got := w.str(field); got != want {
				t.Errorf("%s is %s, want %s", field, got, want)
			}
		}
		if w.str("session") == "" {
			t.Error("the session has no name")
		}
		r.publish(wire.Frame{Ch: "room:a", Seq: 101, Prev: 5}, wire.Frame{Ch: "inbox:u1", Seq: 102})
		if got := types(c.take()); !slices.Equal(got, []string{"message", "message"}) {
			t.Errorf("got %v, want the room's frame and the inbox's", got)
		}
	})
}

func TestAUserWithoutRoomsGetsAnEmptyList(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		if got := r.hello("u1", "").one("welcome").str("rooms"); got != "[]" {
			t.Errorf("rooms is %s, want []", got)
		}
	})
}

func TestTheTokenMayComeWithTheUpgrade(t *testing.T) {
	bubble(t, func(_ *testing.T, r *rig) {
		r.dialWith(wire.JSON, "u1").send(`{"t":"hello"}`).one("welcome")
	})
}

func TestWhatClosesASocket(t *testing.T) {
	for name, test := range map[string]struct {
		send []string
		code wire.CloseCode
	}{
		"no token":                  {[]string{`{"t":"hello"}`}, wire.CloseUnauthorized},
		"a forged token":            {[]string{`{"t":"hello","token":"forged"}`}, wire.CloseUnauthorized},
		"an expired token":          {[]string{`{"t":"hello","token":"expired"}`}, wire.CloseExpired},
		"a second hello":            {[]string{`{"t":"hello","token":"u1"}`, `{"t":"hello","token":"u1"}`}, wire.CloseMalformed},
		"no hello first":            {[]string{`{"t":"get","id":1,"objects":["user:u1"]}`}, wire.CloseMalformed},
		"malformed JSON":            {[]string{`{"t":`}, wire.CloseMalformed},
		"two values":                {[]string{`{"t":"ping"}{}`}, wire.CloseMalformed},
		"no type":                   {[]string{`{}`}, wire.CloseMalformed},
		"a wrong type of field":     {[]string{`{"t":"hello","token":7}`}, wire.CloseMalformed},
		"malformed after hello":     {[]string{`{"t":"hello","token":"u1"}`, `nonsense`}, wire.CloseMalformed},
		"a cursor without log 1":    {[]string{`{"t":"hello","token":"u1","resume":{"epoch":"e1","at":{"0":1},"v":1}}`}, wire.CloseMalformed},
		"a cursor with log 2":       {[]string{`{"t":"hello","token":"u1","resume":{"epoch":"e1","at":{"0":1,"1":1,"2":1},"v":1}}`}, wire.CloseMalformed},
		"a cursor with bad channel": {[]string{`{"t":"hello","token":"u1","resume":{"epoch":"e1",` + at100 + `,"behind":{"x":1},"v":1}}`}, wire.CloseMalformed},
		"a topic without leave":     {[]string{`{"t":"hello","token":"u1 may topic:a","topics":["topic:a","topic:b"]}`}, wire.CloseForbidden},
		"a room as a topic":         {[]string{`{"t":"hello","token":"u1 may room:*","topics":["room:a"]}`}, wire.CloseForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(_ *testing.T, r *rig) { r.dial().send(test.send...).ended(test.code) })
		})
	}
}

// The bytes that end a careless decoder's process.
func TestHostileMsgpackClosesTheSocket(t *testing.T) {
	for _, text := range []string{"81a178ddffffffff", "dfffffffff", "81a174", "c1", "93010203", strings.Repeat("91", 5000)} {
		bubble(t, func(t *testing.T, r *rig) {
			b, err := hex.DecodeString(text)
			if err != nil {
				t.Fatal(err)
			}
			c := r.dialWith(wire.Msgpack, "u1")
			c.frame(websocket.OpBinary, b)
			c.ended(wire.CloseMalformed)
		})
	}
}

func TestNothingIsDoneForASocketThatIsBeingClosed(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		open := r.core.gate(wire.QHello)
		c := r.dial().send(`{"t":"hello","token":"u1 may topic:a"}`)
		c.send(`{"t":"hello","token":"u1"}`, `{"t":"publish","id":1,"ch":"topic:a","data":1}`)
		synctest.Wait()
		open()
		c.ended(wire.CloseMalformed)
		if n := len(r.core.questions(wire.QPublish)); n != 0 {
			t.Errorf("%d posts were passed on behind what closed the socket", n)
		}
	})
}

func TestHelloWithoutACoreIsToldToReconnect(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.core.set(func() { r.core.fail = errors.New("no link") })
		r.hello("u1", "").ended(wire.CloseReconnect)
		time.Sleep(10 * time.Second) // the socket's own goodbye
		if synctest.Wait(); r.m.Users() != 0 || len(r.core.interests()) != 0 {
			t.Errorf("%d users and interests %v are left of a hello that failed", r.m.Users(), r.core.interests())
		}
		r.core.set(func() { r.core.fail = nil; r.core.epoch = "e2" })
		r.hello("u1", "").ended(wire.CloseReconnect) // the link will tell of the epoch
	})
}

func TestResumeEchoesTheCursorAndSendsWhatWasMissed(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.core.member("u1", "a", 5)
		r.hello("u1", "").one("welcome")
		r.publish(wire.Frame{Ch: "room:a", Seq: 101, Prev: 5}, wire.Frame{Ch: "room:a", Seq: 102, Prev: 101})
		p := wire.LogOf("room:a", logs)
		at := map[wire.LogID]string{0: `{"0":101,"1":100}`, 1: `{"0":100,"1":101}`}[p]
		c := r.hello("u1", `,"resume":{"epoch":"e1","at":`+at+`,"v":11}`)
		got := c.take()
		if !slices.Equal(types(got), []string{"welcome", "message"}) || got[1].str("seq") != "102" {
			t.Fatalf("got %v, want welcome and frame 102", got)
		}
		if cur := got[0].str("cursor"); got[0].str("resumed") != "true" || cur != `{"at":`+at+`,"epoch":"e1","v":11}` {
			t.Errorf("resumed %s from %s", got[0].str("resumed"), cur)
		}
	})
}

func TestAnUnknownEpochStartsAfresh(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		w := r.hello("u1", `,"resume":{"epoch":"e0","at":{"0":3,"1":4},"v":2}`).one("welcome")
		if w.str("resumed") != "false" || w.str("cursor") != `{"at":{"0":100,"1":100},"epoch":"e1","v":10}` {
			t.Errorf("got %v, want a fresh start", w)
		}
	})
}

// Rooms joined after the cursor's v are announced, in the order of the joins,
// with what came since their from; older ones are not.
func TestResumeTellsOfRoomsJoinedMeanwhile(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.core.member("u1", "old", 5) // 11
		for i := range 8 {            // 12..19
			r.core.member("u1", wire.RoomID(fmt.Sprint("new", (i*5)%8)), 100)
		}
		got := r.hello("u1", `,"resume":{"epoch":"e1",`+at100+`,"v":11}`).take()
		var vs []string
		for _, m := range got[1:] {
			if m.str("t") == "joined" {
				vs = append(vs, m.str("v"))
			}
		}
		if got[0].str("t") != "welcome" || !slices.Equal(vs, []string{"12", "13", "14", "15", "16", "17", "18", "19"}) {
			t.Errorf("got %v with joins %v", types(got), vs)
		}
	})
}

// A room that was joined beyond the place where a session stands gives nothing
// from before the join, be the session fresh or resumed.
func TestNothingFromBeforeAJoin(t *testing.T) {
	for name, resume := range map[string]string{"fresh": "", "resumed": `,"resume":{"epoch":"e1",` + at100 + `,"v":11}`} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.core.member("u1", "a", 102) // 11: the core is further than this edge
				c := r.hello("u1", resume)
				c.one("welcome")
				r.publish(wire.Frame{Ch: "room:a", Seq: 101, Prev: 5}, wire.Frame{Ch: "room:a", Seq: 102, Prev: 101}, wire.Frame{Ch: "room:a", Seq: 103, Prev: 102})
				if m := c.one("message"); m.str("seq") != "103" {
					t.Errorf("got frame %s, want 103 alone", m.str("seq"))
				}
			})
		})
	}
}

// A cursor from the future is its bearer's own trouble: others in the room get
// their frames.
func TestAForgedCursorDoesNotSpoilTheRoom(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.core.member("bad", "a", 5)
		r.core.member("good", "a", 5)
		r.hello("bad", `,"resume":{"epoch":"e1","at":{"0":4611686018427387904,"1":4611686018427387904},"v":12}`)
		c := r.hello("good", `,"resume":{"epoch":"e1",`+at100+`,"v":12}`)
		c.one("welcome")
		if n := len(r.core.questions(wire.QFill)); n != 0 {
			t.Errorf("%d fills were asked for", n)
		}
		r.publish(wire.Frame{Ch: "room:a", Seq: 101, Prev: 5})
		c.one("message")
	})
}

// A session that has to ask for more keeps its answer, while those of others are
// read and parsed.
func TestAnAnswerInUseIsNotOverwritten(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.core.member("ann", "hers", 150)
		r.core.set(func() { r.core.unshown = true })
		open := r.core.gate(wire.QRoom)
		ann := r.hello("ann", `,"resume":{"epoch":"e1",`+at100+`,"v":10}`)
		for i := range 2 * runtime.GOMAXPROCS(0) {
			user := fmt.Sprint("bob", i)
			r.core.member(wire.UserID(user), wire.RoomID("his"+user), 160)
			if w := r.hello(user, "").one("welcome"); w.str("user") != `{"data":{},"id":"`+user+`","v":0}` {
				t.Errorf("%s is welcomed as %s", user, w.str("user"))
			}
		}
		open()
		got := ann.take()
		if !slices.Equal(types(got), []string{"welcome", "joined", "live"}) {
			t.Fatalf("got %v", got)
		}
		if got[0].str("user") != `{"data":{},"id":"ann","v":0}` || got[1].str("ch") != "room:hers" {
			t.Errorf("got %v", got[:2])
		}
	})
}

// Who has seen elsewhere that it left a room is not in it here, though this edge has
// yet to hear of it; nor is it told again.
func TestResumeAheadOfThisEdge(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.core.member("u1", "a", 5)
		r.hello("u1", "").one("welcome") // knows of a
		r.publish(wire.Frame{Ch: "room:a", Seq: 101, Prev: 90})
		left := r.core.leave("a")
		begun := time.Now()
		c := r.hello("u1", fmt.Sprintf(`,"resume":{"epoch":"e1",%s,"v":%d}`, at100, left.V))
		if got := types(c.take()); len(got) != 0 {
			t.Errorf("before this edge has heard of it: %v", got)
		}
		r.m.State([]*wire.StateRecord{left}, left.V)
		if w := c.one("welcome"); w.str("resumed") != "true" || w.str("rooms") != "[]" {
			t.Errorf("%v", w)
		}
		if took := time.Since(begun); took != 0 {
			t.Errorf("it waited for %v more", took)
		}
		// What it claims to have seen may never come.
		c = r.hello("u1", `,"resume":{"epoch":"e1",`+at100+`,"v":100000}`)
		<-time.After(queryTimeout + time.Second)
		c.ended(wire.CloseReconnect)
	})
}

// A room that was joined after the core's answer was read, and that the client knows
// of, gives nothing from before the join.
func TestNothingFromBeforeAJoinThatTheAnswerLacks(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.core.member("u1", "a", 5)
		open := r.core.gate(wire.QHello)
		c := r.hello("u1", `,"resume":{"epoch":"e1",`+at100+`,"v":12}`)
		joined := r.core.member("u1", "b", 110)
		r.m.State([]*wire.StateRecord{joined}, joined.V)
		open()
		c.one("welcome")
		r.publish(wire.Frame{Ch: "room:b", Seq: 105, Prev: 90}, wire.Frame{Ch: "room:b", Seq: 111, Prev: 105})
		if m := c.one("message"); m.str("seq") != "111" {
			t.Errorf("got %v", m)
		}
	})
}
