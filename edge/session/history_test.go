package session

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"selvedge/wire"
)

// past answers for the history of room:mine: the given frames, oldest first, of
// which those up to gone are no more.
func past(seqs []wire.Seq, gone wire.Seq) func(*wire.Query) *wire.Answer {
	return func(q *wire.Query) *wire.Answer {
		if q.T != wire.QHistory {
			return nil
		}
		a := &wire.Answer{Epoch: "e1", Floor: gone, Last: seqs[len(seqs)-1]}
		prev := gone
		for _, seq := range seqs {
			if seq > gone {
				if a.Oldest == 0 {
					a.Oldest = seq
				}
				p := wire.LogOf(q.Ch, logs)
				a.Frames = append(a.Frames, wire.Data(wire.AppendFrame(nil, p, seq, prev, wire.AppendBody(nil, &wire.Post{Ch: q.Ch, Data: wire.Data{1}}))))
			}
			prev = seq
		}
		a.Frames = a.Frames[max(0, len(a.Frames)-q.Limit):]
		return a
	}
}

// page asks for history, and says what came: the frames' places, and what is gone.
func (c *client) page(more string) string {
	c.send(`{"t":"history","id":1,"ch":"room:mine"` + more + `}`)
	m := c.one("reply")
	var got []string
	frames, _ := m["frames"].([]any)
	for _, f := range frames {
		frame, _ := f.(map[string]any)
		got = append(got, fmt.Sprint(frame["seq"]))
	}
	return fmt.Sprintf("%s of %s, %s gone", strings.Join(got, " "), m.str("last"), m.str("floor"))
}

// The core is asked for a room's newest messages once, and the edge knows those
// that come after.
func TestHistoryIsAskedForOnce(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.core.member("u1", "mine", 5)
		r.core.set(func() { r.core.answer = past([]wire.Seq{20, 50, 60, 70}, 20) })
		c, d := r.hello("u1", ""), r.hello("u1", "")
		c.one("welcome")
		d.one("welcome")
		open := r.core.gate(wire.QHistory)
		for _, who := range []*client{c, d} {
			who.send(`{"t":"history","id":1,"ch":"room:mine","limit":2}`)
		}
		synctest.Wait()
		open()
		synctest.Wait()
		c.take()
		asked := func() int { return len(r.core.questions(wire.QHistory)) }
		if asked() != 1 {
			t.Errorf("asked %d times", asked())
		}
		r.post("room:mine", "")
		c.take()
		if got := c.page(`,"limit":2`); got != "70 101 of 101, 20 gone" || asked() != 1 {
			t.Errorf("got %s, asked %d times", got, asked())
		}
		if got := c.page(`,"limit":1,"before":101`); got != "70 of 101, 20 gone" || asked() != 1 {
			t.Errorf("got %s, asked %d times", got, asked())
		}
		// What is further back only the core has.
		r.core.set(func() { r.core.answer = past([]wire.Seq{20, 50, 60, 70, 101}, 20) })
		if got := c.page(""); got != "50 60 70 101 of 101, 20 gone" || asked() != 2 {
			t.Errorf("got %s, asked %d times", got, asked())
		}
		if got := c.page(""); got != "50 60 70 101 of 101, 20 gone" || asked() != 2 {
			t.Errorf("all of it: got %s, asked %d times", got, asked())
		}
		// Once the core has let some of it go, it says what.
		r.core.cache.Log(wire.LogOf("room:mine", logs)).SetTrimmed(55)
		r.core.set(func() { r.core.answer = past([]wire.Seq{20, 50, 60, 70, 101}, 50) })
		if got := c.page(""); got != "60 70 101 of 101, 50 gone" || asked() != 3 {
			t.Errorf("trimmed: got %s, asked %d times", got, asked())
		}
	})
}
