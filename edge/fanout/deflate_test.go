package fanout

import (
	"strings"
	"testing"
	"testing/synctest"

	"selvedge/edge/websocket"
	"selvedge/wire"
)

// Sockets that agreed on compression get large frames compressed, once per
// codec for all of them; they and the others get the same messages. What they
// compress is understood.
func TestCompressedFrames(t *testing.T) {
	bubble(t, rigConfig{}, func(r *rig) {
		a := r.hold(room(0, 0))
		plain := r.enter("plain", wire.JSON, a)
		var small []*peer
		for _, c := range []wire.Codec{wire.JSON, wire.Msgpack, wire.JSON} {
			p := r.agree(websocket.Agreement{Codec: c, Deflate: true})
			hello, ok := websocket.AppendDeflated(nil, []byte(strings.Repeat("hello ", 100)))
			if !ok {
				t.Fatal("it was not compressed")
			}
			op := websocket.OpBinary
			if c == wire.JSON {
				op = websocket.OpText
			}
			frame := websocket.AppendMasked(nil, op, hello, [4]byte{1, 2, 3, 4})
			frame[0] |= 0x40 // RSV1: compressed
			if _, err := p.nc.Write(frame); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if len(p.said) != 1 || p.said[0] != strings.Repeat("hello ", 100) {
				t.Fatalf("the session got %q", p.said)
			}
			r.begin(p, &Start{User: "u", Rooms: r.rooms(a)})
			small = append(small, p)
		}
		synctest.Wait()
		before := plain.bytes.Load()
		var started []int64
		for _, p := range small {
			started = append(started, p.bytes.Load())
		}
		r.write(a.Name, 4000)
		r.bring(0, 1)
		synctest.Wait()
		plain.expect(frames(a.Name, 1)...)
		whole := plain.bytes.Load() - before
		for i, p := range small {
			p.expect(frames(a.Name, 1)...)
			if n := p.bytes.Load() - started[i]; n > whole/4 {
				t.Errorf("a client that inflates read %d bytes, others %d", n, whole)
			}
		}
	})
}

// A client that did not agree on compression may not compress.
func TestCompressionThatWasNotAgreedOn(t *testing.T) {
	bubble(t, rigConfig{}, func(r *rig) {
		c := r.attach(wire.JSON)
		frame := websocket.AppendMasked(nil, websocket.OpText, []byte("x"), [4]byte{1, 2, 3, 4})
		frame[0] |= 0x40
		if _, err := c.nc.Write(frame); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		c.expect("close 1002")
	})
}
