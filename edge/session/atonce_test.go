package session

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/edge/roster"
	"selvedge/wire"
)

// What is at hand, and what the core is asked for, are of one moment: what changed
// while it was waited for is looked at again.
func TestAnAnswerIsOfOneMoment(t *testing.T) {
	for request, want := range map[string]string{
		`"t":"search","room":"mine","prefix":"jo"`:  "u2 Josh",
		`"t":"get","objects":["user:u1","user:u2"]`: "user:u1 Zed user:u2 Josh",
	} {
		bubble(t, func(t *testing.T, r *rig) {
			for user, name := range map[wire.UserID]string{"u1": "Joan", "u2": "John"} {
				r.core.member(user, "mine", 5)
				r.core.doc("user:"+string(user), name)
			}
			c := r.hello("u1", "")
			c.one("welcome")
			c.send(`{"id":1,"t":"get","objects":["user:u1"]}`)
			c.one("reply") // that one is at hand
			open := r.core.gate(wire.QGet)
			c.send(`{"id":2,` + request + `}`)
			synctest.Wait()
			for _, change := range [][2]string{{"user:u1", "Zed"}, {"user:u2", "Josh"}} {
				rec := r.core.doc(change[0], change[1])
				r.m.State([]*wire.StateRecord{rec}, rec.V)
			}
			open()
			if got := names(c.one("reply")); got != want {
				t.Errorf("%s: %s, want %s", request, got, want)
			}
		})
	}
}

// names are who or what a reply has, and what each is called.
func names(m message) string {
	var out []string
	called := func(id string, doc any) {
		d, _ := doc.(map[string]any)
		data, _ := d["data"].(map[string]any)
		out = append(out, fmt.Sprint(id, " ", data["name"]))
	}
	users, _ := m["users"].([]any)
	for _, u := range users {
		info, _ := u.(map[string]any)
		called(fmt.Sprint(info["id"]), u)
	}
	objects, _ := m["objects"].(map[string]any)
	for _, key := range []string{"user:u1", "user:u2"} {
		if doc, ok := objects[key]; ok {
			called(key, doc)
		}
	}
	return strings.Join(out, " ")
}

// What the core is asked for may be ahead of the stream, and then of what is at hand:
// the stream is waited for.
func TestAnAnswerIsNotAheadOfTheStream(t *testing.T) {
	for request, want := range map[string]string{
		`"t":"search","room":"mine","prefix":"jo"`:  "u2 Josh",
		`"t":"get","objects":["user:u1","user:u2"]`: "user:u1 Zed user:u2 Josh",
	} {
		bubble(t, func(t *testing.T, r *rig) {
			for user, name := range map[wire.UserID]string{"u1": "Joan", "u2": "John"} {
				r.core.member(user, "mine", 5)
				r.core.doc("user:"+string(user), name)
			}
			c := r.hello("u1", "")
			c.one("welcome")
			c.send(`{"id":1,"t":"search","room":"mine","prefix":"no"}`)
			c.one("reply") // the room is known
			c.send(`{"id":2,"t":"get","objects":["user:u1"]}`)
			c.one("reply") // and this document
			stood := r.core.v
			var records []*wire.StateRecord
			for _, change := range [][2]string{{"user:u1", "Zed"}, {"user:u2", "Josh"}} {
				records = append(records, r.core.doc(change[0], change[1])) // they are on their way
			}
			r.core.set(func() { r.core.stands = stood })
			c.send(`{"id":3,` + request + `}`)
			synctest.Wait()
			if got := c.take(); len(got) > 0 {
				t.Errorf("%s: answered before the stream had come: %v", request, got)
			}
			r.core.set(func() { r.core.stands = 0 })
			r.m.State(records, r.core.v)
			time.Sleep(time.Second)
			if got := names(c.one("reply")); got != want {
				t.Errorf("%s: %s, want %s", request, got, want)
			}
		})
	}
}

// An answer that changes go on during, time and again, is not said to be of one moment.
func TestAtOnce(t *testing.T) {
	m := &Manager{rosters: roster.New(roster.Config{})}
	var at wire.Seq
	m.rosters.Upto(20)
	read := 0
	atOnce := func(changes int) (once bool, err error) {
		read = 0
		return m.atOnce(t.Context(), wire.RoomsKey("u"), func() (wire.Seq, error) {
			if read++; read <= changes {
				m.turns.n.Add(2)
			}
			return at, nil
		})
	}
	for at = range wire.Seq(21) {
		for changes, want := range map[int]bool{0: true, 1: true, mostTurns - 1: true, mostTurns: false, 100: false} {
			once, err := atOnce(changes)
			if once != want || err != nil || read != min(changes+1, mostTurns) {
				t.Errorf("with %d changes: %t, %v, read %d times", changes, once, err, read)
			}
		}
	}
	failed := errors.New("no core")
	if once, err := m.atOnce(t.Context(), wire.RoomsKey("u"), func() (wire.Seq, error) { return 0, failed }); once || !errors.Is(err, failed) {
		t.Errorf("%t, %v", once, err)
	}
	m.turns.n.Add(1) // records are being taken
	if once, err := atOnce(0); once || err != nil || read != mostTurns {
		t.Errorf("in the midst: %t, %v, read %d times", once, err, read)
	}
}
