package door

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const chrome = "GET /v1/socket HTTP/1.1\r\nHost: localhost:7410\r\nConnection: Upgrade\r\nPragma: no-cache\r\nCache-Control: no-cache\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\nUpgrade: websocket\r\nOrigin: http://localhost:7400\r\nSec-WebSocket-Version: 13\r\n" +
	"Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-US,en;q=0.9\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
	"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\nSec-WebSocket-Protocol: selvedge.v1.msgpack\r\n\r\n"

// What is read as a usual head is what net/http makes of it, whatever was read
// before.
func FuzzUsual(f *testing.F) {
	for _, s := range []string{
		upgrade(), upgrade("Sec-WebSocket-Protocol: a", "Sec-WebSocket-Protocol: b"), upgrade("x-forwarded-for: 1.2.3.4"), upgrade("Host: b"),
		upgrade(" folded"), upgrade("X:  a \t"), upgrade("X: \x00"), upgrade("X : a"), upgrade("Content-Length: 0"), upgrade("pragma: no-cache"), upgrade("Pragma:"), upgrade("Pragma: a", "cache-control: b"),
		upgrade("Connection: close"), upgrade("Transfer-Encoding: chunked"), strings.ReplaceAll(upgrade(), "\r", ""), chrome, upgrade("X: \x80"), upgrade("X:"),
		comingBack(), strings.Replace(upgrade(), "/v1/socket", "/v1/socket?resume=1&a", 1), strings.Replace(upgrade(), "/v1/socket", "/v1/socket?resume=1 ", 1),
	} {
		f.Add([]byte(s), len(s))
	}
	var u usual
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		good := upgrade("A: b")
		at := max(cut, 0) % len(good)
		for _, b := range []string{string(b), good[:at] + string(b) + good[at:], good} {
			end := headEnd([]byte(b), 0)
			if end < 0 {
				continue
			}
			b = b[:end]
			got := u.read([]byte(b), "/v1/socket")
			if got == nil {
				continue
			}
			want, err := http.ReadRequest(bufio.NewReader(strings.NewReader(b)))
			if err != nil {
				t.Fatalf("%q is read: %v", b, err)
			}
			if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(http.Request{}), cmpopts.IgnoreFields(http.Request{}, "Close")); diff != "" {
				t.Fatalf("%q (-net/http +ours)\n%s", b, diff)
			}
			if got.Context() != context.Background() {
				t.Fatal("there is another context")
			}
		}
	})
}

// What most clients send is a usual head, and makes no garbage but its text.
func TestUsualHeads(t *testing.T) {
	for name, s := range map[string]string{
		"ours":   upgrade("Sec-WebSocket-Protocol: selvedge.v1.json", "Authorization: Bearer x"),
		"chrome": chrome,
		"back":   comingBack(),
	} {
		var u usual
		head := []byte(s)
		if u.read(head, "/v1/socket") == nil {
			t.Errorf("%s: not read", name)
		}
		if n := testing.AllocsPerRun(100, func() { u.read(head, "/v1/socket") }); n > 1 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	var u usual
	for _, s := range []string{
		strings.Replace(upgrade(), "/v1/socket", "/v1/socket?a", 1), strings.Replace(upgrade(), "GET", "PUT", 1), strings.Replace(upgrade(), "1.1", "1.0", 1),
		upgrade(strings.Split(strings.Repeat("A: b\n", maxFields), "\n")[:maxFields]...),
	} {
		if u.read([]byte(s), "/v1/socket") != nil {
			t.Errorf("%q is read", s)
		}
	}
	odd := upgrade("Pragma: no-cache")
	if r, ok := newParser().read([]byte(odd), "/v1/socket"); u.read([]byte(odd), "/v1/socket") != nil || !ok || r.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("what isn't usual is %+v, %v", r, ok)
	}
}

// comingBack asks for a socket as a client does that has a cursor.
func comingBack() string { return strings.Replace(upgrade(), "/v1/socket", "/v1/socket?resume=1", 1) }

func BenchmarkRead(b *testing.B) {
	head := []byte(upgrade("Sec-WebSocket-Protocol: selvedge.v1.msgpack"))
	p := newParser()
	for name, path := range map[string]string{"usual": "/v1/socket", "net/http": "/"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := p.read(head, path); !ok {
					b.Fatal("not read")
				}
			}
		})
	}
}
