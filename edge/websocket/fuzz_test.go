package websocket

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// However a stream is cut, it means the same.
func TestSplitsDontMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var in []byte
		for range rapid.IntRange(0, 12).Draw(t, "frames") {
			first := rapid.SampledFrom([]byte{
				final | text, final | blob, text, blob, cont, cont, final | cont, final | cont,
				final | ping, final | pong, final | closing, final | rsv1Bit | text, rsv1Bit | blob, final | 3,
			}).Draw(t, "first")
			size := rapid.SampledFrom([]int{0, 1, 2, 5, 124, 125, 126, 127, 300, 70_000}).Draw(t, "size")
			payload := bytes.Repeat([]byte(rapid.SampledFrom([]string{"a", "\x03\xe8", "ü", "\xe2\x82\xac", "\xff", "\x00", "\xca\x00"}).Draw(t, "text")), size)
			in = append(in, raw(first, string(payload[:size]))...)
		}
		deflate := rapid.Bool().Draw(t, "deflate")
		limit := rapid.SampledFrom([]int{0, 100, 400, 100_000}).Draw(t, "limit")
		at := FromClient(deflate)
		want, wantErr := feed(&at, limit, in)

		var chunks [][]byte
		for rest := in; len(rest) > 0; {
			n := min(len(rest), rapid.SampledFrom([]int{1, 2, 3, 7, 50, 1000, 50_000}).Draw(t, "chunk"))
			chunks, rest = append(chunks, rest[:n]), rest[n:]
		}
		p := FromClient(deflate)
		got, err := feed(&p, limit, chunks...)
		if diff := cmp.Diff(want, got); diff != "" || !errors.Is(err, wantErr) {
			t.Fatalf("at once %v, in pieces %v (-at once +in pieces):\n%s", wantErr, err, diff)
		}
	})
}

// Any bytes, cut anywhere: no panic, the same meaning, and no more memory than
// the limit allows.
func FuzzParser(f *testing.F) {
	f.Add(join(raw(text, "a"), raw(final|ping, "p"), raw(final|cont, "b")), uint16(3), uint16(100), false, false)
	f.Add(raw(final|blob, string(make([]byte, 200))), uint16(1), uint16(300), false, false)
	f.Add(join(Ping(nil), Close(1000, "x")), uint16(2), uint16(10), true, false)
	f.Add([]byte{final | text, maskBit | length64, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4}, uint16(5), uint16(65_535), false, false)
	f.Add(join(raw(rsv1Bit|text, "\xf2\x48\xcd"), raw(final|ping, "p"), raw(final|cont, "\xc9\xc9\x07\x00")), uint16(3), uint16(100), false, true)
	f.Fuzz(func(t *testing.T, in []byte, step, limit uint16, server, deflate bool) {
		fresh := func() *Parser {
			p := FromClient(deflate)
			if server {
				p.flags |= fromServer
			}
			return &p
		}
		want, wantErr := feed(fresh(), int(limit), in)
		p := fresh()
		var got []event
		var err error
		for rest := in; len(rest) > 0 && err == nil; {
			n := min(len(rest), int(step)+1)
			var more []event
			more, err = feed(p, int(limit), rest[:n])
			got, rest = append(got, more...), rest[n:]
			if most := mostDeflated(int(limit)) + MaxControl; len(p.buf) > most || cap(p.buf) > 2*most+1024 {
				t.Fatalf("%d of %d bytes held, the limit is %d", len(p.buf), cap(p.buf), limit)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" || !errors.Is(err, wantErr) {
			t.Fatalf("at once %v, in pieces %v (-at once +in pieces):\n%s", wantErr, err, diff)
		}
		for _, e := range got {
			if !e.Op.control() && len(e.Payload) > int(limit) {
				t.Fatalf("message of %d bytes, the limit is %d", len(e.Payload), limit)
			}
		}
	})
}

func BenchmarkFeed(b *testing.B) {
	in := raw(final|text, string(bytes.Repeat([]byte("x"), 1024)))
	buf := make([]byte, len(in))
	var p Parser
	fn := func(Op, []byte) error { return nil }
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		copy(buf, in)
		if err := p.Feed(buf, 64<<10, fn); err != nil {
			b.Fatal(err)
		}
	}
}
