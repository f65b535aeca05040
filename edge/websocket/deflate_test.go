package websocket

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// chat is n bytes or so of what people send each other.
func chat(n int) string {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	words := strings.Fields("the deploy is green again please look at this graph and merge when tests pass thanks see you tomorrow at three")
	var b strings.Builder
	b.WriteString(`{"t":"message","ch":"room:general","p":3,"seq":124301,"prev":124288,"ts":1763800000000,"from":"u17","data":{"text":"`)
	for b.Len() < n-4 {
		if r.IntN(20) == 0 { // what is different in every message
			fmt.Fprintf(&b, "https://example.com/%x ", r.Uint64())
		}
		b.WriteString(words[r.IntN(len(words))])
		b.WriteByte(' ')
	}
	b.WriteString(`"}}`)
	return b.String()
}

// noise can't be compressed.
func noise(n int) string {
	r := rand.New(rand.NewPCG(2, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return string(b)
}

// byStandardLibrary is the compressed form of a message, by another compressor
// and in any number of flushed pieces.
func byStandardLibrary(t testing.TB, level int, pieces ...string) string {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pieces {
		if _, err := w.Write([]byte(p)); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
}

// The examples of RFC 7692, section 7.2.3, as frames of a server.
func TestExamplesOfTheRFC(t *testing.T) {
	for name, test := range map[string]struct {
		in   string
		want string
		err  error
	}{
		"7.2.3.1":               {in: "\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00", want: "Hello"},
		"7.2.3.1, in fragments": {in: "\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00", want: "Hello"},
		// Its second message refers to the first, which we never agree to.
		"7.2.3.2": {in: "\xc1\x05\xf2\x00\x11\x00\x00", err: ErrDeflate},
		"7.2.3.3": {in: "\xc1\x0b\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", want: "Hello"},
		"7.2.3.4": {in: "\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00", want: "Hello"},
		"7.2.3.5": {in: "\xc1\x0d\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", want: "Hello"},
		"7.2.3.6": {in: "\xc1\x01\x00", want: ""},
	} {
		for way, chunks := range map[string][][]byte{"at once": {[]byte(test.in)}, "byte by byte": bytewise([]byte(test.in))} {
			p := FromServer().Inflating()
			got, err := feed(&p, 5, chunks...)
			if !errors.Is(err, test.err) {
				t.Errorf("%s, %s: %v", name, way, err)
			}
			if test.err == nil && (len(got) != 1 || got[0] != event{OpText, test.want}) {
				t.Errorf("%s, %s: %q", name, way, got)
			}
		}
	}
}

// What we compress, another implementation inflates, and so do we; and nothing
// is compressed that becomes no smaller.
func TestDeflate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{0, 1, 255, 256, 257, 300, 1000, 5000, 70_000, 300_000}).Draw(t, "size")
		payload := rapid.SampledFrom([]func(int) string{chat, noise, func(n int) string { return strings.Repeat("x", n) }}).Draw(t, "kind")(n)
		b, ok := AppendDeflated([]byte("before"), []byte(payload))
		whole := DeflatedMessage(OpText, []byte(payload))
		if !ok {
			if string(b) != "before" || whole != nil {
				t.Fatalf("nothing is compressed, and %d bytes are appended, %d made", len(b)-6, len(whole))
			}
			if len(payload) >= DeflateFloor && !strings.HasPrefix(payload, noise(n)) {
				t.Fatalf("%d bytes are not compressed", len(payload))
			}
			return
		}
		b = b[len("before"):]
		if len(payload) < DeflateFloor || len(b) >= len(payload) {
			t.Fatalf("%d bytes became %d", len(payload), len(b))
		}
		if got, err := byDumbInflater(b); err != nil || string(got) != payload {
			t.Fatalf("another implementation reads %d bytes of %d: %v", len(got), len(payload), err)
		}
		if got, err := AppendInflated([]byte("before"), b, len(payload)); err != nil || string(got) != "before"+payload {
			t.Fatalf("%d bytes of %d: %v", len(got)-6, len(payload), err)
		}
		if _, err := AppendInflated(nil, b, len(payload)-1); !errors.Is(err, ErrTooLarge) {
			t.Fatalf("one byte over the limit: %v", err)
		}
		p := FromServer().Inflating()
		if got, err := feed(&p, len(payload), whole); err != nil || len(got) != 1 || got[0] != (event{OpText, payload}) {
			t.Fatalf("%d messages: %v", len(got), err)
		}
		if cap(whole) != len(whole) {
			t.Fatalf("%d bytes are held for %d", cap(whole), len(whole))
		}
	})
}

// A message of ours can be read with the window that its answer promises: 4 KiB.
func TestWindow(t *testing.T) {
	const window = 4096
	for distance, near := range map[int]bool{window / 2: true, window - 100: true, window + 1: false, window + 100: false, 3 * window: false} {
		part := noise(distance)
		b, ok := AppendDeflated(nil, []byte(part+part[:distance/2]))
		if short := ok && len(b) < distance+distance/4; short != near {
			t.Errorf("a repetition after %d bytes: %d bytes became %d", distance, distance+distance/2, len(b))
		}
	}
}

// Clients may use a window of 32 KiB, several streams, and any number of
// flushes.
func TestInflatesWhatOthersDeflate(t *testing.T) {
	long := noise(30_000)
	stream := func(s string) string { // ended by a final block
		var b bytes.Buffer
		w, err := flate.NewWriter(&b, flate.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(s)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	for name, test := range map[string]struct{ in, want string }{
		"far references": {byStandardLibrary(t, flate.BestCompression, long+long), long + long},
		"flushed":        {byStandardLibrary(t, flate.BestSpeed, "a", chat(500), "", "b"), "a" + chat(500) + "b"},
		"stored":         {byStandardLibrary(t, flate.NoCompression, long), long},
		"Huffman only":   {byStandardLibrary(t, flate.HuffmanOnly, chat(3000)), chat(3000)},
		"final block":    {stream("abc") + "\x00", "abc"},
		"two streams":    {stream("abc") + stream(chat(900)) + "\x00", "abc" + chat(900)},
	} {
		if got, err := AppendInflated(nil, []byte(test.in), len(test.want)); err != nil || string(got) != test.want {
			t.Errorf("%s: %d bytes of %d: %v", name, len(got), len(test.want), err)
		}
	}
}

// However much a small message inflates to, no more than the limit is made.
func TestBomb(t *testing.T) {
	const limit = 64 << 10
	bomb := byStandardLibrary(t, flate.BestCompression, string(make([]byte, 1<<20)))
	if len(bomb) > 1100 {
		t.Fatalf("1 MiB of zeros takes %d bytes", len(bomb))
	}
	got, err := AppendInflated(nil, []byte(bomb), limit)
	if !errors.Is(err, ErrTooLarge) || cap(got) > 2*limit {
		t.Errorf("%v, %d bytes are held", err, cap(got))
	}
	var empty strings.Builder // a stream of nothing, again and again
	for empty.Len() < limit {
		empty.WriteString("\x03\x00")
	}
	if got, err := AppendInflated(nil, []byte(empty.String()+"\x00"), limit); err != nil || len(got) != 0 {
		t.Errorf("%d bytes of nothing: %v", len(got), err)
	}
}

// A message that ends too early is broken, wherever that is. Only a block that
// isn't compressed can't tell: what ends the message may be its last bytes.
func TestTruncated(t *testing.T) {
	for name, whole := range map[string]string{
		"ours":  string(mustDeflate(t, chat(700))),
		"fixed": "\xf2\x48\xcd\xc9\xc9\x07\x00",
	} {
		for n := 1; n < len(whole); n++ {
			if got, err := AppendInflated(nil, []byte(whole[:n]), 1000); !errors.Is(err, ErrDeflate) {
				t.Errorf("%s: %d of %d bytes: %q, %v", name, n, len(whole), got, err)
			}
		}
	}
	stored := byStandardLibrary(t, flate.NoCompression, chat(50))
	for n := range stored {
		if got, err := AppendInflated(nil, []byte(stored[:n]), 1000); err == nil && string(got) == chat(50) {
			t.Errorf("%d of %d bytes are taken for all", n, len(stored))
		}
	}
}

func mustDeflate(t testing.TB, payload string) []byte {
	t.Helper()
	b, ok := AppendDeflated(nil, []byte(payload))
	if !ok {
		t.Fatalf("%d bytes can't be compressed", len(payload))
	}
	return b
}

// byDumbInflater inflates with the standard library, stream by stream.
func byDumbInflater(message []byte) (out []byte, err error) {
	src := bytes.NewReader(append(bytes.Clone(message), "\x00\x00\xff\xff\x01\x00\x00\xff\xff"...))
	for src.Len() > 0 {
		var part bytes.Buffer
		if _, err := part.ReadFrom(flate.NewReader(src)); err != nil {
			return nil, err
		}
		out = append(out, part.Bytes()...)
	}
	return out, nil
}

// Any bytes: no panic, what another implementation makes of them, and no more
// than the limit.
func FuzzInflate(f *testing.F) {
	f.Add([]byte("\xf2\x48\xcd\xc9\xc9\x07\x00"), uint16(5))
	f.Add([]byte("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), uint16(4))
	f.Add(mustDeflate(f, chat(700)), uint16(800))
	f.Add([]byte(byStandardLibrary(f, flate.BestCompression, string(make([]byte, 100_000)))), uint16(60_000))
	f.Fuzz(func(t *testing.T, message []byte, limit uint16) {
		if len(message) == 0 {
			return // empty here, broken there
		}
		got, err := AppendInflated(nil, message, int(limit))
		if errors.Is(err, ErrTooLarge) {
			if len(got) != int(limit)+1 {
				t.Fatalf("too large at %d bytes, the limit is %d", len(got), limit)
			}
			return
		}
		want, wantErr := byDumbInflater(message)
		if (err == nil) != (wantErr == nil) || err == nil && !bytes.Equal(got, want) {
			t.Fatalf("%d bytes, %v; the standard library: %d bytes, %v", len(got), err, len(want), wantErr)
		}
	})
}

func BenchmarkDeflate(b *testing.B) {
	for _, n := range []int{256, 512, 1024, 4096, 65_536} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			in := []byte(chat(n))
			var out []byte
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				out, _ = AppendDeflated(out[:0], in)
			}
			b.ReportMetric(float64(len(out))/float64(len(in)), "ratio")
		})
	}
}

func BenchmarkFeedDeflated(b *testing.B) {
	for _, n := range []int{256, 1024, 65_536} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			in := raw(final|rsv1Bit|text, string(mustDeflate(b, chat(n))))
			buf := make([]byte, len(in))
			p := FromClient(true)
			fn := func(Op, []byte) error { return nil }
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				copy(buf, in)
				if err := p.Feed(buf, 128<<10, fn); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
