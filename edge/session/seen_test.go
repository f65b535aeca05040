package session

import (
	"testing"

	"selvedge/wire"
)

// Whoever answers a client must have seen what this edge has, of the log that is
// asked about: a core that came back a moment ago may be behind.
func TestQuestionsSayWhatWasSeen(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.core.member("u1", "mine", 5)
		c := r.hello("u1", "")
		c.one("welcome")
		r.publish(wire.Frame{Ch: "room:mine", Seq: 101, Prev: 90})
		c.one("message")
		c.send(`{"id":7,"t":"history","ch":"room:mine"}`)
		c.one("reply")
		if asked := r.core.questions(wire.QHistory); len(asked) != 1 || asked[0].V != 101 {
			t.Errorf("asked %+v; want one question, whose answer is not older than 101", asked)
		}
	})
}
