package session

import (
	"errors"
	"fmt"
	"testing"
	"time"

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
		if w := resume(200).one("welcome"); w.str("resumed") != "true" || asked() != before+2 {
			t.Errorf("of one who knows more than this edge: %v, asked %d times", w, asked()-before)
		}
		r.core.set(func() { r.core.silent = time.Now().Add(-time.Minute) })
		r.hello("u1", "").one("welcome")
		if asked() != before+3 {
			t.Error("what is known is old, and was told as new")
		}
	})
}
