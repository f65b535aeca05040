package fanout

import (
	"strings"
	"testing"
	"testing/synctest"

	"selvedge/wire"
)

// A Start is given back when its welcome is written, and what happens to its
// memory then concerns nobody. One whose welcome still waits is not given back.
func TestAStartIsGivenBack(t *testing.T) {
	for name, test := range map[string]struct {
		room int  // for bytes that the client has not read
		gone bool // the client went before the start
		want int
	}{
		"written at once": {room: 4 << 10, want: 1},
		"no room":         {room: 512},
		"gone":            {gone: true, want: 1},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, rigConfig{sendBuffer: test.room}, func(r *rig) {
				c := r.connect(wire.Msgpack)
				c.deaf()
				if test.gone {
					_ = c.nc.Close()
					synctest.Wait()
				}
				// In place of a welcome, which the peers don't tell of.
				p, err := Encode(wire.Error{T: wire.TError, Message: strings.Repeat("x", 1<<10)})
				if err != nil {
					t.Fatal(err)
				}
				st := &Start{User: "ann", Rooms: r.rooms(r.hold(room(0, 0))), Welcome: p[wire.Msgpack]}
				done := 0
				st.Done = func() {
					done++
					clear(st.Welcome)
					*st = Start{Done: st.Done}
				}
				r.begin(c, st)
				synctest.Wait()
				if done != test.want {
					t.Errorf("given back %d times, want %d", done, test.want)
				}
				c.hears()
				synctest.Wait()
				if !test.gone {
					c.expect("error") // whole: else the client would complain
				}
			})
		})
	}
}
