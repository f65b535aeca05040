package session

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

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

// An answer is put together again as long as changes go on, but not for ever.
func TestAtOnce(t *testing.T) {
	m := &Manager{}
	for changes, want := range map[int]int{0: 1, 1: 2, mostTurns - 1: mostTurns, mostTurns: mostTurns, 100: mostTurns} {
		read := 0
		err := m.atOnce(func() error {
			if read++; read <= changes {
				m.turns.n.Add(2)
			}
			return nil
		})
		if err != nil || read != want {
			t.Errorf("with %d changes: %v, read %d times, want %d", changes, err, read, want)
		}
	}
	failed := errors.New("no core")
	if err := m.atOnce(func() error { return failed }); !errors.Is(err, failed) {
		t.Error(err)
	}
	m.turns.n.Add(1) // records are being taken
	read := 0
	if err := m.atOnce(func() error { read++; return nil }); err != nil || read != mostTurns {
		t.Errorf("in the midst: %v, read %d times", err, read)
	}
}
