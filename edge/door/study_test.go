package door

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/pires/go-proxyproto"

	"selvedge/edge/websocket"
)

func TestWhereAHeadEnds(t *testing.T) {
	for in, want := range map[string]int{
		"": -1, "\n": -1, "a\n": -1, "a\r\n": -1, "a\r\n\r": -1, "a\r\n\r\n": 5, "a\n\n": 3, "a\n\r\n": 4, "a\r\n\n": 4,
		"a\n\rb\n": -1, "a\r\n\r\nmore\r\n\r\n": 5, "a\nb\nc\r\n\r\n": 9, "\n\n": 2,
	} {
		for cut := range len(in) + 1 {
			got := headEnd([]byte(in[:cut]), 0)
			if got < 0 {
				got = headEnd([]byte(in), cut)
			}
			if got != want {
				t.Errorf("%q in two at %d: %d, want %d", in, cut, got, want)
			}
		}
	}
}

// upgradedByHTTP is what net/http makes of a connection that sends b at once:
// whether its first request is upgraded, and what the socket gets then.
func upgradedByHTTP(b []byte) (early []byte, agreed websocket.Agreement, upgraded bool) {
	client, server := net.Pipe()
	ln := newPages()
	first := true
	srv := &http.Server{MaxHeaderBytes: maxHead, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if first && r.URL.Path == "/v1/socket" && r.Method == http.MethodGet {
			nc, ahead, a, err := websocket.Upgrader{}.Upgrade(w, r)
			if err == nil {
				agreed, upgraded = a, true
				nc, rest := Release(nc)
				early = append(ahead, rest...)
				_ = nc.Close()
			}
		}
		first = false
		w.Header().Set("Connection", "close")
	})}
	ln.give(server, b, netip.AddrPort{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(ln)
	}()
	_, _ = io.Copy(io.Discard, client)
	_ = srv.Close()
	<-done
	_ = client.Close()
	return early, agreed, upgraded
}

// What the door takes for a socket, net/http would have upgraded as well, with
// the same agreement and the same bytes behind it.
func FuzzStudy(f *testing.F) {
	for _, s := range []string{
		upgrade(), upgrade() + "frame", strings.ReplaceAll(upgrade(), "\r", ""), upgrade("Host: b"), upgrade("X Y: z"), upgrade("Content-Length: 5") + "12345",
		upgrade("Transfer-Encoding: chunked") + "0\r\n\r\n", upgrade("Expect: 100-continue"), upgrade(" folded: x"), upgrade("X: a\r\n \r\n b"), upgrade("X: a\r\n\t"),
		request("GET http://edge.test/v1/socket HTTP/1.1"), request("GET /v1/socket#x HTTP/1.1"), request("GET /v1/socket?a=b HTTP/1.2"), "GET /v1/socket\r\n\r\n",
		strings.Replace(upgrade(), "edge.test", "edge.test:80", 1), strings.Replace(upgrade(), "edge.test", "a/b", 1), strings.Replace(upgrade(), "edge.test", "", 1),
		strings.Replace(upgrade(), "Host: edge.test", "Host : edge.test", 1), upgrade("Sec-WebSocket-Protocol: selvedge.v1.json"), "\r\n" + upgrade(),
		strings.Replace(upgrade(), "HTTP/1.1", "HTTP/1.1 ", 1), upgrade("Content-Length: 0"), upgrade("X: \x00"), upgrade("Upgrade: h2c"), comingBack() + "frame",
	} {
		f.Add([]byte(s), 3)
	}
	for _, s := range []string{"X Y: z\r\n", " x\r\n", "Expect: x\r\n", "Host:b\r\n", "Content-Length:1\r\n", "Transfer-Encoding: chunked\r\n", "X:\x7f\r\n", "\r", "/", "%"} {
		f.Add([]byte(s), len(request("GET /v1/socket HTTP/1.1")[:25]))
		f.Add([]byte(s), len("GET /v1/socket HTTP/1.1\r\nHost: "))
	}
	d := New(Config{Path: "/v1/socket", Check: websocket.Upgrader{}.Check, HTTP: &http.Server{}})
	p := newParser()
	check := func(t *testing.T, b []byte, cut int) {
		v, _, agreed, end := d.study(p, b, 0)
		if cut < len(b) {
			v0, _, _, end0 := d.study(p, b[:cut], 0)
			if v0 == socket && (v != socket || end0 != end) {
				t.Fatalf("at %d it is a socket's head of %d bytes, at last %d of %d", cut, end0, v, end)
			}
			if v0 == wait {
				if v1, _, _, end1 := d.study(p, b, cut); v1 != v || end1 != end {
					t.Fatalf("searched up to %d it is %d of %d bytes, else %d of %d", cut, v1, end1, v, end)
				}
			}
		}
		if v != socket {
			return
		}
		early, theirs, ok := upgradedByHTTP(b)
		if !ok || !bytes.Equal(early, b[end:]) || !bytes.Equal(theirs.AppendAnswer(nil), agreed.AppendAnswer(nil)) || theirs.Codec != agreed.Codec {
			t.Fatalf("the door takes it, with %q behind it; net/http: %t, with %q\n%q", b[end:], ok, early, b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		cut = max(cut, 0)
		check(t, b, cut)
		// What is almost right.
		good := upgrade() + "frame"
		at := cut % len(good)
		check(t, []byte(good[:at]+string(b)+good[at:]), at)
		check(t, []byte(good[:at]+string(b)+good[min(at+len(b), len(good)):]), at)
	})
}

// The split of a PROXY header from what is behind it is the library's own.
func FuzzProxy(f *testing.F) {
	for _, b := range [][]byte{proxyTCP4, proxyTCP6, proxyTLVs, proxyLocal, proxyHeader(0x21, 0x31, strings.Repeat("a", 216)), []byte("PROXY UNKNOWN\r\n"), nil} {
		f.Add(append(bytes.Clone(b), "GET"...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		need, err := proxyNeed(b)
		for cut := range min(len(b), 300) {
			n, cutErr := proxyNeed(b[:cut])
			switch {
			case cutErr != nil && err == nil:
				t.Fatalf("the first %d bytes are refused, more of them are not: %v", cut, cutErr)
			case cutErr == nil && err == nil && n > need:
				t.Fatalf("the first %d bytes need %d, more of them %d", cut, n, need)
			case cutErr == nil && err == nil && n <= cut && n != need:
				t.Fatalf("the first %d bytes are a header of %d, more of them one of %d", cut, n, need)
			}
		}
		in := bufio.NewReader(bytes.NewReader(b))
		h, theirs := proxyproto.Read(in)
		if err != nil || need > len(b) {
			if theirs == nil && h.Version == 2 {
				t.Fatalf("the library takes it, the door: %v, needs %d of %d", err, need, len(b))
			}
			return
		}
		client, err := proxySource(b[:need])
		switch {
		case b[12]&0xf == 0:
			if err != nil || client.IsValid() {
				t.Fatalf("LOCAL: %v, %v", client, err)
			}
		case (err == nil) != (theirs == nil):
			t.Fatalf("the door: %v, the library: %v", err, theirs)
		case err == nil:
			rest, _ := io.ReadAll(in)
			if !bytes.Equal(rest, b[need:]) {
				t.Fatalf("the library leaves %q, the door %q", rest, b[need:])
			}
			if want := addrPort(h.SourceAddr); h.TransportProtocol.IsStream() && !h.TransportProtocol.IsUnix() && client != want {
				t.Fatalf("client %v, want %v", client, want)
			}
		}
	})
}
