package websocket

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"selvedge/wire"
)

// Our headers are those of another implementation, around each change of form.
func TestHeaders(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 127, 65_535, 65_536, 1 << 20, 1 << 33} {
		h := ws.Header{Fin: true, OpCode: ws.OpBinary, Length: int64(n)}
		var want bytes.Buffer
		if err := ws.WriteHeader(&want, h); err != nil {
			t.Fatal(err)
		}
		if got := AppendHeader(nil, OpBinary, n); !bytes.Equal(got, want.Bytes()) || len(got) > MaxHeader {
			t.Errorf("%d: % x, want % x", n, got, want.Bytes())
		}
	}
}

// A header that is put in front of a payload is the one that stands in front of a
// copy of it, at each length of both, and the payload is not moved.
func TestPutHeader(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 127, 65_535, 65_536, 1 << 17} {
		b := make([]byte, MaxHeader+n)
		for i := range b {
			b[i] = byte(i)
		}
		want := Message(OpBinary, bytes.Clone(b[MaxHeader:]))
		got := PutHeader(b, OpBinary)
		if !bytes.Equal(got, want) {
			t.Errorf("%d bytes: the message is not the usual one", n)
		}
		if n > 0 && &got[len(got)-1] != &b[len(b)-1] {
			t.Errorf("%d bytes: the payload was moved", n)
		}
	}
}

// Masking is done by the rule of the RFC, at each length and alignment.
func TestMasking(t *testing.T) {
	mask := [4]byte{0x9d, 0x01, 0x7e, 0xc3}
	plain := make([]byte, 300)
	for i := range plain {
		plain[i] = byte(i * 7)
	}
	for n := range plain {
		b := AppendMasked([]byte("before"), OpBinary, plain[:n], mask)
		payload := b[len(b)-n:]
		for i := range payload {
			if payload[i] != plain[i]^mask[i%4] {
				t.Fatalf("length %d: byte %d is %#x", n, i, payload[i])
			}
		}
	}
}

func TestClose(t *testing.T) {
	for name, test := range map[string]struct {
		reason, want string
	}{
		"short":    {"going away", "going away"},
		"longest":  {strings.Repeat("x", 123), strings.Repeat("x", 123)},
		"too long": {strings.Repeat("x", 124), strings.Repeat("x", 123)},
		"cut":      {"x" + strings.Repeat("ü", 62), "x" + strings.Repeat("ü", 61)},
		"not text": {strings.Repeat("\x80", 200), "?"},
	} {
		p := FromServer()
		var code wire.CloseCode
		var reason string
		err := p.Feed(Close(wire.CloseReconnect, test.reason), 0, func(_ Op, payload []byte) error {
			code, reason = ParseClose(payload)
			return nil
		})
		if err != nil || code != wire.CloseReconnect || reason != test.want || !utf8.ValidString(reason) {
			t.Errorf("%s: %d %q, %v", name, code, reason, err)
		}
	}
	if code, reason := ParseClose(nil); code != NoStatus || reason != "" {
		t.Errorf("empty: %d %q", code, reason)
	}
}

func TestControlTooLong(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a ping of 126 bytes was built")
		}
	}()
	Ping(make([]byte, MaxControl+1))
}
