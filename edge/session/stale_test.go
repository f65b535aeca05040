package session

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"selvedge/wire"
)

// With a watermark older than three seconds every answer says that it may be
// stale, and with a younger one none does.
func TestStaleAnswers(t *testing.T) {
	for _, request := range []string{
		`"t":"get","objects":["user:u1"]`, `"t":"members","room":"mine"`, `"t":"rooms"`, `"t":"history","ch":"room:mine"`,
	} {
		bubble(t, func(t *testing.T, r *rig) {
			r.core.member("u1", "mine", 5)
			c := r.hello("u1", "")
			c.one("welcome")
			r.core.set(func() { r.core.silent = time.Now() })
			for _, step := range []struct {
				after time.Duration
				want  string
			}{{0, "null"}, {3 * time.Second, "null"}, {10 * time.Millisecond, "true"}} {
				<-time.After(step.after)
				c.send(`{"id":7,` + request + `}`)
				if m := c.one("reply"); m.str("stale") != step.want {
					t.Errorf("%s, %v later: stale is %s, want %s", request, step.after, m.str("stale"), step.want)
				}
			}
			r.core.set(func() { r.core.silent = time.Time{} })
			c.send(`{"id":7,` + request + `}`)
			if m := c.one("reply"); m.str("stale") != "null" {
				t.Errorf("%s: still stale", request)
			}
		})
	}
}

// An answer that was long in coming is no younger than what was heard when it was asked
// for: watermarks that come meanwhile may be of another core.
func TestAnAnswerIsAsOldAsItsQuestion(t *testing.T) {
	for request, kind := range map[string]wire.QueryKind{
		`"t":"get","objects":["room:mine"]`: wire.QGet, `"t":"members","room":"mine"`: wire.QMembers, `"t":"search","prefix":"u"`: wire.QRoster,
		`"t":"rooms"`: wire.QRooms, `"t":"history","ch":"room:mine"`: wire.QHistory,
	} {
		for took, want := range map[time.Duration]string{2 * time.Second: "null", 4 * time.Second: "true"} {
			bubble(t, func(t *testing.T, r *rig) {
				r.core.unshown = true // so that the core is asked for the room
				r.core.member("u1", "mine", 5)
				c := r.hello("u1", "")
				c.one("welcome")
				answer := r.core.gate(kind)
				c.send(`{"id":7,` + request + `}`)
				if got := c.take(); len(got) != 0 {
					t.Fatalf("%s: answered without the core: %v", request, got)
				}
				<-time.After(took)
				answer()
				if m := c.one("reply"); m.str("stale") != want {
					t.Errorf("%s, after %v: stale is %s, want %s", request, took, m.str("stale"), want)
				}
			})
		}
	}
}

// Before the first watermark an edge has three seconds to get one.
func TestStaleBeforeTheFirstWatermark(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.core.set(func() { r.core.silent = time.Unix(0, 0).Add(-time.Hour) })
		if !r.m.stale(0) {
			t.Error("an old watermark is fresh")
		}
		r.m.cfg.Upstream = silence{r.core}
		if r.m.stale(0) {
			t.Error("stale at once")
		}
		<-time.After(fresh + time.Millisecond)
		if !r.m.stale(0) {
			t.Error("still fresh")
		}
	})
}

// silence is a core of whose logs nothing was heard ever.
type silence struct{ *core }

func (silence) Fresh(wire.LogID) time.Time { return time.Time{} }

// While the core can't be asked, a page of history comes from the cache if all of
// it is there, and says so; what is not there fails.
func TestHistoryFromTheCache(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		const ch = "room:mine"
		r.core.member("u1", "mine", 5)
		c := r.hello("u1", "")
		c.one("welcome")
		prev := wire.Seq(90)
		for seq := wire.Seq(101); seq <= 110; seq += 3 { // 101, 104, 107, 110
			r.publish(wire.Frame{Ch: ch, Seq: seq, Prev: prev})
			prev = seq
		}
		c.take()
		down := func(err error) { r.core.set(func() { r.core.fail = err }) }
		down(errors.New("no link"))
		for request, want := range map[string]string{
			`"limit":2`:                           "[107 110] last 110",
			`"limit":4`:                           "[101 104 107 110] last 110",
			`"limit":5`:                           "unavailable", // one before 101 exists
			`"limit":2,"before":107`:              "[101 104] last 110",
			`"limit":3,"before":107`:              "unavailable",
			`"limit":5,"after":101`:               "[104 107 110] last 110",
			`"limit":2,"after":101`:               "[104 107] last 110",
			`"limit":2,"after":101,"before":107`:  "[104] last 110",
			`"limit":2,"after":50`:                "unavailable", // below what is held
			`"limit":2,"after":110`:               "unavailable", // nothing is known there
			`"limit":2,"after":100,"before":90`:   "[] last 110",
			`"limit":5,"before":101`:              "unavailable",
			`"limit":1000,"after":104,"before":1`: "[] last 110",
		} {
			c.send(`{"id":7,"t":"history","ch":"` + ch + `",` + request + `}`)
			got := c.take()
			if len(got) != 1 {
				t.Fatalf("%s: %v", request, got)
			}
			if text := page(got[0]); text != want {
				t.Errorf("%s: got %s, want %s", request, text, want)
			}
			if got[0].str("t") == wire.TReply && got[0].str("stale") != "true" {
				t.Errorf("%s: not stale", request)
			}
		}
		c.send(`{"id":7,"t":"members","room":"mine"}`)
		if m := c.one("error"); m.str("code") != string(wire.Unavailable) {
			t.Errorf("members: %v", m)
		}
	})
}

// A log that has fallen silent is not waited for if the cache has the page.
func TestHistoryOfASilentLogComesAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.core.member("u1", "mine", 5)
		c := r.hello("u1", "")
		c.one("welcome")
		r.publish(wire.Frame{Ch: "room:mine", Seq: 101})
		c.take()
		open := r.core.gate(wire.QHistory)
		defer open()
		r.core.set(func() { r.core.silent = time.Now().Add(-fresh - time.Second) })
		c.send(`{"id":7,"t":"history","ch":"room:mine","limit":9}`)
		if got := page(c.one("reply")); got != "[101] last 101" {
			t.Errorf("got %s", got)
		}
		c.send(`{"id":8,"t":"history","ch":"room:mine","limit":9,"after":7}`) // not all of it is here
		if got := c.take(); len(got) != 0 {
			t.Errorf("got %v", got)
		}
	})
}

// page is a history's answer in short.
func page(m message) string {
	if m.str("t") == wire.TError {
		return m.str("code")
	}
	seqs := []any{}
	for _, f := range m["frames"].([]any) {
		seqs = append(seqs, f.(map[string]any)["seq"])
	}
	return fmt.Sprint(seqs, " last ", m.str("last"))
}

// What a client has said with its hello is waited for like all else, once the
// hello is answered.
func TestIdleWithWhatCameWithTheHello(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.core.member("u1", "mine", 5)
		hello, post := r.core.gate(wire.QHello), r.core.gate(wire.QPublish)
		c := r.dial().send(`{"t":"hello","token":"u1 may room:*"}`, `{"id":7,"t":"publish","ch":"room:mine","data":1}`)
		synctest.Wait()
		if !r.m.Idle() {
			t.Error("a hello is waited for")
		}
		hello()
		synctest.Wait()
		if r.m.Idle() {
			t.Error("idle while a publish is under way that came with the hello")
		}
		post()
		if got := types(c.take()); !cmp.Equal(got, []string{"welcome", "reply"}) || !r.m.Idle() {
			t.Errorf("got %v, idle %t", got, r.m.Idle())
		}
	})
}

// A session that asked something is waited for before the edge goes.
func TestIdle(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.core.member("u1", "mine", 5)
		c := r.hello("u1 may room:*", "")
		c.one("welcome")
		for kind, request := range map[wire.QueryKind]string{
			wire.QPublish: `{"id":7,"t":"publish","ch":"room:mine","data":1}`, wire.QRooms: `{"id":7,"t":"rooms"}`,
		} {
			if !r.m.Idle() {
				t.Fatal("busy with nothing")
			}
			open := r.core.gate(kind)
			c.send(request)
			synctest.Wait()
			if r.m.Idle() {
				t.Errorf("idle while a %s is under way", kind)
			}
			open()
			if got := types(c.take()); !cmp.Equal(got, []string{"reply"}) || !r.m.Idle() {
				t.Errorf("%s: got %v, idle %t", kind, got, r.m.Idle())
			}
		}
	})
}
