package cache

import (
	"bytes"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"selvedge/edge/websocket"
	"selvedge/wire"
)

// decoded is what a client reads out of a packet.
type decoded struct {
	T    string         `json:"t"`
	Ch   wire.Channel   `json:"ch"`
	P    wire.LogID     `json:"p"`
	Seq  wire.Seq       `json:"seq"`
	Prev wire.Seq       `json:"prev"`
	Back bool           `json:"back"`
	Data map[string]any `json:"data"`
}

func decode(t *testing.T, c wire.Codec, packet []byte) decoded {
	t.Helper()
	var m decoded
	n := 0
	parser := websocket.FromServer()
	err := parser.Feed(bytes.Clone(packet), 1<<21, func(op websocket.Op, payload []byte) error {
		n++
		if (op == websocket.OpText) != (c == wire.JSON) {
			t.Errorf("%s travels as op %d", c, op)
		}
		return c.Decode(payload, &m)
	})
	if err != nil || n != 1 {
		t.Fatalf("a packet of %d messages: %v", n, err)
	}
	delete(m.Data, "n")
	return m
}

// A frame has four packets: each says the same, but for back.
func TestPacketsOfAFrame(t *testing.T) {
	for _, size := range []int{0, 100, 200, 70_000} { // each form of a header's length
		f := frameOf(t, "room:a", 3, 7, 5, size)
		before := bytes.Clone(f.Bytes)
		for _, c := range []wire.Codec{wire.JSON, wire.Msgpack} {
			for _, back := range []bool{false, true} {
				got := decode(t, c, f.Packet(c, back))
				if len(got.Data["text"].(string)) != size {
					t.Errorf("%s, back %v: text of %d bytes, want %d", c, back, len(got.Data["text"].(string)), size)
				}
				got.Data = nil
				want := decoded{T: "message", Ch: "room:a", P: 3, Seq: 7, Prev: 5, Back: back}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s, back %v:\n%s", c, back, diff)
				}
			}
		}
		if !bytes.Equal(before, f.Bytes) {
			t.Error("making packets changed the frame")
		}
	}
}

// Every socket gets the same memory, whoever asks first.
func TestPacketIsMadeOnceAndShared(t *testing.T) {
	f := frameOf(t, "room:a", 0, 1, 0, 64)
	for _, c := range []wire.Codec{wire.JSON, wire.Msgpack} {
		for _, back := range []bool{false, true} {
			got := make([][]byte, 64)
			var wg sync.WaitGroup
			for i := range got {
				wg.Go(func() { got[i] = f.Packet(c, back) })
			}
			wg.Wait()
			for _, p := range got {
				if &p[0] != &got[0][0] {
					t.Errorf("%s, back %v: two packets", c, back)
				}
			}
			if n := testing.AllocsPerRun(10, func() { f.Packet(c, back) }); n != 0 {
				t.Errorf("%s, back %v: a packet that is there costs %v allocations", c, back, n)
			}
		}
	}
}

func TestParseFrameRefusesWhatIsNone(t *testing.T) {
	whole := frameOf(t, "room:a", 0, 1, 0, 10).Bytes
	for n := range whole {
		if _, err := ParseFrame(whole[:n]); err == nil {
			t.Fatalf("a frame cut at %d is taken", n)
		}
	}
}

// A payload without a JSON form gives an empty message, not a broken one.
func TestPacketWithoutAJSONForm(t *testing.T) {
	p := Packet(wire.JSON, []byte{0xc1})
	parser := websocket.FromServer()
	if err := parser.Feed(p, 10, func(_ websocket.Op, payload []byte) error {
		if len(payload) != 0 {
			t.Errorf("payload %q", payload)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkPacket(b *testing.B) {
	for _, c := range []wire.Codec{wire.JSON, wire.Msgpack} {
		b.Run(c.String(), func(b *testing.B) {
			f := frameOf(b, "room:a", 0, 1, 0, 1024)
			b.ReportAllocs()
			for b.Loop() {
				g := &Frame{Frame: f.Frame}
				g.Packet(c, false)
			}
		})
	}
}
