package fanout

import (
	"bytes"
	"testing"

	"selvedge/edge/cache"
	"selvedge/wire"
)

// answerOf is a page of so many frames of 1 KiB.
func answerOf(frames int, b byte) wire.History {
	h := wire.History{T: wire.THistory, ID: 1}
	for range frames {
		h.Frames = append(h.Frames, append([]byte{0xda, 4, 0}, bytes.Repeat([]byte{b}, 1024)...))
	}
	return h
}

// A packet is its own: what is made of the same memory afterwards changes nothing.
func TestPacketsShareNoMemory(t *testing.T) {
	e := new(Engine)
	for _, codec := range []wire.Codec{wire.JSON, wire.Msgpack} {
		form := cache.FormOf(codec, false)
		for _, frames := range []int{100, 1, 2000} { // the last is longer than what is kept
			first, err := e.packet(form, answerOf(frames, 'a'))
			if err != nil {
				t.Fatal(err)
			}
			if n := bytes.Count(first, []byte{'a'}); n < frames*1024 {
				t.Errorf("%v, %d frames: %d bytes of them", codec, frames, n)
			}
			was := bytes.Clone(first)
			if _, err := e.packet(form, answerOf(frames, 'b')); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(first, was) {
				t.Errorf("%v, %d frames: a packet has changed", codec, frames)
			}
		}
	}
	if _, err := e.packet(cache.FormOf(wire.Msgpack, false), func() {}); err == nil {
		t.Error("what has no form is sent")
	}
}

// An answer of 100 frames: its packet alone should be allocated.
func BenchmarkPacket(b *testing.B) {
	e := new(Engine)
	h := answerOf(100, 'a')
	b.ReportAllocs()
	for b.Loop() {
		p, err := e.packet(cache.FormOf(wire.Msgpack, false), h)
		if err != nil || len(p) < 100<<10 {
			b.Fatal(err)
		}
	}
}
