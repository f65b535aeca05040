package session

import (
	"testing"
	"testing/synctest"

	"selvedge/edge/websocket"
	"selvedge/wire"
)

// Whatever a client says, the edge goes on and gives back what it held.
func FuzzClient(f *testing.F) {
	for _, s := range []string{
		`{"t":"hello","token":"u1","resume":{"epoch":"e1",` + at100 + `,"behind":{"room:a":5},"v":1}}`,
		`{"t":"subscribe","id":1,"ch":"topic:x","since":18446744073709551615}`,
		`{"t":"history","id":1,"ch":"room:a","after":"x"}`, `{"t":"get","id":1,"objects":[""]}`,
		`{"t":"signal","ch":"room:a"}`, `{"t":"publish","id":1,"ch":"room:a","data":null}`,
	} {
		f.Add(false, []byte(s))
		f.Add(true, []byte(s))
	}
	f.Fuzz(func(t *testing.T, greeted bool, b []byte) {
		bubble(t, func(t *testing.T, r *rig) {
			r.core.member("u1", "a", 5)
			c := r.dial()
			if greeted {
				c.send(`{"t":"hello","token":"u1 may room:* topic:*"}`)
			}
			c.frame(websocket.OpText, b)
			c.take()
			good := r.hello("u2", "")
			if got := types(good.take()); len(got) != 1 || got[0] != wire.TWelcome {
				t.Errorf("another client got %v", got)
			}
			_, _ = c.conn.Close(), good.conn.Close()
			synctest.Wait()
		})
	})
}
