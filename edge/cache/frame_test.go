package cache

import (
	"bytes"
	"runtime"
	"sync"
	"testing"
	"unsafe"

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

// decode reads a packet as a client of its form does.
func decode(t *testing.T, form Form, packet []byte) decoded {
	t.Helper()
	var m decoded
	n := 0
	parser := websocket.FromServer()
	if form.Deflates() {
		parser = parser.Inflating()
	}
	err := parser.Feed(bytes.Clone(packet), 1<<21, func(op websocket.Op, payload []byte) error {
		n++
		if (op == websocket.OpText) != (form.Codec() == wire.JSON) {
			t.Errorf("%s travels as op %d", form, op)
		}
		return form.Codec().Decode(payload, &m)
	})
	if err != nil || n != 1 {
		t.Fatalf("a packet of %d messages: %v", n, err)
	}
	delete(m.Data, "n")
	return m
}

// A frame has eight packets: each says the same, but for back, and the
// compressed ones are the smaller.
func TestPacketsOfAFrame(t *testing.T) {
	for _, size := range []int{0, 100, 300, 70_000} { // each form of a header's length
		f := frameOf(t, "room:a", 3, 7, 5, size)
		before := bytes.Clone(f.Bytes)
		for form := range Forms {
			for _, back := range []bool{false, true} {
				packet := f.PacketIn(form, back)
				got := decode(t, form, packet)
				if len(got.Data["text"].(string)) != size {
					t.Errorf("%s, back %v: text of %d bytes, want %d", form, back, len(got.Data["text"].(string)), size)
				}
				got.Data = nil
				want := decoded{T: "message", Ch: "room:a", P: 3, Seq: 7, Prev: 5, Back: back}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s, back %v:\n%s", form, back, diff)
				}
				if plain := f.PacketIn(form.Plain(), back); form.Deflates() && size > websocket.DeflateFloor && len(packet) > len(plain)*2/3 {
					t.Errorf("%s, back %v: %d bytes, %d plain", form, back, len(packet), len(plain))
				}
			}
			if got, want := PacketIn(form, f.Bytes), f.PacketIn(form, false); !bytes.Equal(got, want) {
				t.Errorf("%s: %d bytes by itself, %d of the frame", form, len(got), len(want))
			}
		}
		if !bytes.Equal(before, f.Bytes) {
			t.Error("making packets changed the frame")
		}
	}
}

// Where compression saves nothing, there is one packet for those who want it
// and those who don't.
func TestPacketThatIsNotCompressed(t *testing.T) {
	for form := range Forms {
		if !form.Deflates() {
			continue
		}
		for _, plainFirst := range []bool{true, false} {
			f := frameOf(t, "room:a", 3, 7, 5, 10)
			var plain []byte
			if plainFirst {
				plain = f.PacketIn(form.Plain(), false)
			}
			packet := f.PacketIn(form, false)
			if !plainFirst {
				plain = f.PacketIn(form.Plain(), false)
			}
			if &packet[0] != &plain[0] {
				t.Errorf("%s, the plain one first %v: two packets", form, plainFirst)
			}
		}
	}
}

// Every socket gets the same memory, whoever asks first.
func TestPacketIsMadeOnceAndShared(t *testing.T) {
	for _, size := range []int{10, 1000} {
		f := frameOf(t, "room:a", 0, 1, 0, size)
		for form := range Forms {
			for _, back := range []bool{false, true} {
				got := make([][]byte, 64)
				var wg sync.WaitGroup
				for i := range got {
					wg.Go(func() { got[i] = f.PacketIn(form, back) })
				}
				wg.Wait()
				for _, p := range got {
					if &p[0] != &got[0][0] {
						t.Errorf("%s, back %v: two packets", form, back)
					}
				}
				if n := testing.AllocsPerRun(10, func() { f.PacketIn(form, back) }); n != 0 {
					t.Errorf("%s, back %v: a packet that is there costs %v allocations", form, back, n)
				}
			}
		}
	}
}

// Shards get a frame at once, and yet it is made once: what they allocate is no
// more than one alone does.
func TestShardsThatAskAtOnce(t *testing.T) {
	const frames, size = 5, 300_000 // so large that they meet
	text := frameOf(t, "room:a", 0, 1, 0, size).Bytes
	bytesWith := func(shards int) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range frames {
			f := &Frame{Frame: wire.Frame{Bytes: text}}
			var wg sync.WaitGroup
			for range shards {
				wg.Go(func() { f.PacketIn(FormOf(wire.JSON, false), false) })
			}
			wg.Wait()
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	one, four := bytesWith(1), bytesWith(4)
	if one < frames*size || four > one+frames*size/2 {
		t.Errorf("one shard allocates %d bytes for %d frames, four %d", one, frames, four)
	}
}

// What a frame counts covers what it takes where a room's clients speak one
// codec, some of them compressed.
func TestSizeCoversWhatIsHeld(t *testing.T) {
	for _, text := range []int{10, 200, 1000, 8000} {
		f := frameOf(t, "room:a", 0, 1, 0, text)
		const place = 24 + 8 // in Log.held and Channel.frames
		held := int(unsafe.Sizeof(*f)) + place + len(f.Bytes)
		for _, form := range []Form{FormOf(wire.Msgpack, false), FormOf(wire.Msgpack, true)} {
			if p := f.PacketIn(form, false); form.Deflates() == (len(p) < len(f.Bytes)) {
				held += len(p) + sliceHeader
			}
		}
		if f.size() < held {
			t.Errorf("%d bytes are counted, %d held", f.size(), held)
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
	p := PacketIn(FormOf(wire.JSON, false), []byte{0xc1})
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
	for form := range Forms {
		b.Run(form.String(), func(b *testing.B) {
			f := frameOf(b, "room:a", 0, 1, 0, 1024)
			b.ReportAllocs()
			for b.Loop() {
				g := &Frame{Frame: f.Frame}
				g.PacketIn(form, false)
			}
		})
	}
}
