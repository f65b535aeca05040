package websocket

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
	"github.com/gobwas/ws/wsutil"

	"selvedge/wire"
)

// upgraded is what a server got out of Upgrade.
type upgraded struct {
	conn  net.Conn
	early []byte
	Agreement
	err error
}

// serve upgrades every request and passes the results on.
func serve(t *testing.T, u Upgrader) (addr string, results chan upgraded) {
	t.Helper()
	results = make(chan upgraded, 1)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, early, agreed, err := u.Upgrade(w, r)
		results <- upgraded{conn, early, agreed, err}
	}))
	srv.Config.ReadTimeout = 200 * time.Millisecond // Upgrade must lift it
	srv.Start()
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().String(), results
}

const goodKey = "dGhlIHNhbXBsZSBub25jZQ==" // of RFC 6455, section 1.3

// request is an upgrade with some fields replaced, or removed if empty.
func request(change map[string]string) string {
	fields := map[string]string{
		"Host": "edge.example", "Connection": "keep-alive, Upgrade", "Upgrade": "WebSocket",
		"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": goodKey,
	}
	line := "GET /v1/socket HTTP/1.1"
	for k, v := range change {
		if fields[k] = v; k == "" {
			line = v
		}
	}
	var b strings.Builder
	b.WriteString(line + "\r\n")
	for k, v := range fields {
		if k != "" && v != "" {
			fmt.Fprintf(&b, "%s: %s\r\n", k, v)
		}
	}
	return b.String() + "\r\n"
}

// ask sends text and returns the answer.
func ask(t *testing.T, addr, text string) (net.Conn, *http.Response) {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(nc, text); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		t.Fatal(err)
	}
	return nc, resp
}

func TestUpgradeAccepts(t *testing.T) {
	for name, test := range map[string]struct {
		change map[string]string
		codec  wire.Codec
		proto  string
	}{
		"nothing asked":       {nil, wire.JSON, ""},
		"json":                {map[string]string{"Sec-WebSocket-Protocol": "selvedge.v1.json"}, wire.JSON, "selvedge.v1.json"},
		"msgpack":             {map[string]string{"Sec-WebSocket-Protocol": "selvedge.v1.msgpack"}, wire.Msgpack, "selvedge.v1.msgpack"},
		"the client's choice": {map[string]string{"Sec-WebSocket-Protocol": "chat,selvedge.v1.msgpack , selvedge.v1.json"}, wire.Msgpack, "selvedge.v1.msgpack"},
		"empty list":          {map[string]string{"Sec-WebSocket-Protocol": " , "}, wire.JSON, ""},
		"same origin":         {map[string]string{"Origin": "https://EDGE.example"}, wire.JSON, ""},
	} {
		t.Run(name, func(t *testing.T) {
			addr, results := serve(t, Upgrader{})
			_, resp := ask(t, addr, request(test.change))
			got := <-results
			if got.err != nil {
				t.Fatal(got.err)
			}
			defer func() { _ = got.conn.Close() }()
			h := resp.Header
			if resp.StatusCode != http.StatusSwitchingProtocols || h.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" ||
				h.Get("Upgrade") != "websocket" || h.Get("Connection") != "Upgrade" {
				t.Errorf("answer %s %v", resp.Status, h)
			}
			if _, offered := h["Sec-Websocket-Protocol"]; got.Codec != test.codec || h.Get("Sec-WebSocket-Protocol") != test.proto || offered != (test.proto != "") {
				t.Errorf("codec %v, subprotocol %q", got.Codec, h.Get("Sec-WebSocket-Protocol"))
			}
		})
	}
}

func TestUpgradeRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		change map[string]string
		status int
		code   string
		says   string
		field  string
	}{
		"plain GET":         {map[string]string{"Connection": "", "Upgrade": ""}, 426, "bad_request", "WebSocket client", "Upgrade"},
		"other upgrade":     {map[string]string{"Upgrade": "h2c"}, 426, "bad_request", "WebSocket client", "Upgrade"},
		"no connection":     {map[string]string{"Connection": "keep-alive"}, 426, "bad_request", "WebSocket client", "Upgrade"},
		"POST":              {map[string]string{"": "POST /v1/socket HTTP/1.1", "Content-Length": "0"}, 405, "method_not_allowed", "GET", "Allow"},
		"HTTP/1.0":          {map[string]string{"": "GET /v1/socket HTTP/1.0"}, 400, "bad_request", "HTTP/1.0", ""},
		"version 8":         {map[string]string{"Sec-WebSocket-Version": "8"}, 426, "bad_request", `"8"`, "Sec-WebSocket-Version"},
		"no version":        {map[string]string{"Sec-WebSocket-Version": ""}, 426, "bad_request", `""`, "Sec-WebSocket-Version"},
		"no key":            {map[string]string{"Sec-WebSocket-Key": ""}, 400, "bad_request", `""`, ""},
		"24 wrong chars":    {map[string]string{"Sec-WebSocket-Key": "not-base64-not-base64-no"}, 400, "bad_request", "not-base64", ""},
		"24 chars, 18 byte": {map[string]string{"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQab"}, 400, "bad_request", "16 random bytes", ""},
		"short key":         {map[string]string{"Sec-WebSocket-Key": "c2hvcnQ="}, 400, "bad_request", "c2hvcnQ=", ""},
		"two keys":          {map[string]string{"sec-websocket-key": goodKey}, 400, "bad_request", "16 random bytes", ""},
		"other origin":      {map[string]string{"Origin": "https://evil.example"}, 403, "forbidden", "https://evil.example", ""},
		"null origin":       {map[string]string{"Origin": "null"}, 403, "forbidden", "null", ""},
		"unknown protocol":  {map[string]string{"Sec-WebSocket-Protocol": "chat, selvedge.v2.json"}, 400, "bad_request", "selvedge.v1.json", ""},
	} {
		t.Run(name, func(t *testing.T) {
			addr, results := serve(t, Upgrader{})
			_, resp := ask(t, addr, request(test.change))
			if got := <-results; got.err == nil {
				t.Error("accepted")
			}
			var body struct {
				Error struct{ Code, Message string }
			}
			if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != test.status || body.Error.Code != test.code || !strings.Contains(body.Error.Message, test.says) {
				t.Errorf("%s %+v", resp.Status, body.Error)
			}
			if strings.Contains(body.Error.Message, "\n") || test.field != "" && resp.Header.Get(test.field) == "" {
				t.Errorf("message %q, header %v", body.Error.Message, resp.Header)
			}
		})
	}
}

func TestCheckOrigin(t *testing.T) {
	asked := ""
	u := Upgrader{CheckOrigin: func(origin string, r *http.Request) bool {
		asked = origin + " " + r.Host
		return origin == "https://app.example"
	}}
	addr, results := serve(t, u)
	_, resp := ask(t, addr, request(map[string]string{"Origin": "https://edge.example"}))
	if <-results; resp.StatusCode != http.StatusForbidden || asked != "https://edge.example edge.example" {
		t.Errorf("%s, asked %q", resp.Status, asked)
	}
	for _, origin := range []string{"https://app.example", ""} {
		_, resp = ask(t, addr, request(map[string]string{"Origin": origin}))
		got := <-results
		if got.err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("%q: %s, %v", origin, resp.Status, got.err)
		}
		_ = got.conn.Close()
	}
}

// A client that doesn't wait for the answer loses nothing, and the HTTP
// server's deadline is not the socket's.
func TestEarlyBytes(t *testing.T) {
	addr, results := serve(t, Upgrader{})
	first, second := raw(final|text, "first"), raw(final|text, "second")
	nc, _ := ask(t, addr, request(nil)+string(first))
	got := <-results
	if got.err != nil {
		t.Fatal(got.err)
	}
	defer func() { _ = got.conn.Close() }()
	b := got.early
	for len(b) < len(first) { // the rest may still be on its way
		more := make([]byte, len(first)-len(b))
		n, err := got.conn.Read(more)
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, more[:n]...)
	}
	timer := time.AfterFunc(400*time.Millisecond, func() { _, _ = nc.Write(second) }) // past ReadTimeout
	defer timer.Stop()
	rest := make([]byte, len(second))
	if _, err := io.ReadFull(got.conn, rest); err != nil {
		t.Fatalf("a read past the server's deadline: %v", err)
	}
	var p Parser
	events, err := feed(&p, 100, b, rest)
	if err != nil || len(events) != 2 || events[0].Payload != "first" || events[1].Payload != "second" {
		t.Errorf("%v, %v", events, err)
	}
}

// Nor is the bound of the answer the socket's deadline.
func TestNoDeadlineStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		go func() { _, _ = http.ReadResponse(bufio.NewReader(theirs), nil) }()
		if _, err := accept(ours, bufio.NewReader(strings.NewReader("")), Agreement{key: goodKey}); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Hour, func() { _ = theirs.Close() }) // simulated
		if _, err := ours.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("a read for an hour: %v", err)
		}
	})
}

// A client that takes no answer is given up.
func TestAnswerIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, _ := net.Pipe()
		began := time.Now()
		_, err := accept(ours, bufio.NewReader(strings.NewReader("")), Agreement{key: goodKey})
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != answerTime {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

// A server without Hijack (HTTP/2, a wrapper) is told apart.
func TestUpgradeWithoutHijack(t *testing.T) {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(request(nil))))
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	if _, _, _, err := (Upgrader{}).Upgrade(w, r); !errors.Is(err, http.ErrNotSupported) || w.Code != http.StatusInternalServerError {
		t.Errorf("%d, %v", w.Code, err)
	}
}

// Another implementation's client understands us, and we it.
func TestInterop(t *testing.T) {
	nc, served := dialEcho(t, Upgrader{}, ws.Dialer{Protocols: []string{wire.Msgpack.Subprotocol()}}, func(shake ws.Handshake) {
		if shake.Protocol != wire.Msgpack.Subprotocol() || len(shake.Extensions) != 0 {
			t.Errorf("handshake %+v", shake)
		}
	})
	for _, n := range []int{0, 1, 125, 126, 65_535, 65_536} {
		want := strings.Repeat("z", n)
		if err := wsutil.WriteClientText(nc, []byte(want)); err != nil {
			t.Fatal(err)
		}
		got, op, err := wsutil.ReadServerData(nc)
		if err != nil || op != ws.OpText || string(got) != want {
			t.Fatalf("%d bytes: %d back, op %v, %v", n, len(got), op, err)
		}
	}
	if err := wsutil.WriteClientMessage(nc, ws.OpPing, []byte("p")); err != nil {
		t.Fatal(err)
	}
	if op, payload := readControl(t, nc); op != ws.OpPong || string(payload) != "p" {
		t.Errorf("pong: op %v, %q", op, payload)
	}
	closeEcho(t, nc, served)
}

// So it is with compressed messages.
func TestInteropDeflated(t *testing.T) {
	params := wsflate.Parameters{ServerNoContextTakeover: true, ServerMaxWindowBits: 13, ClientMaxWindowBits: 1}
	var dialer ws.Dialer
	dialer.Extensions = append(dialer.Extensions, params.Option())
	nc, served := dialEcho(t, Upgrader{Deflate: true}, dialer, func(shake ws.Handshake) {
		var got wsflate.Parameters
		if len(shake.Extensions) != 1 || got.Parse(shake.Extensions[0]) != nil {
			t.Fatalf("handshake %+v", shake)
		}
		if want := (wsflate.Parameters{ServerNoContextTakeover: true, ClientNoContextTakeover: true, ServerMaxWindowBits: 12}); got != want {
			t.Errorf("answer %+v, want %+v", got, want)
		}
	})
	for _, n := range []int{0, 1, 125, 300, 5_000, 65_536} {
		for name, want := range map[string]string{"chat": chat(n), "noise": noise(n)} {
			f, err := wsflate.CompressFrame(ws.NewBinaryFrame([]byte(want)))
			if err != nil {
				t.Fatal(err)
			}
			if err := ws.WriteFrame(nc, ws.MaskFrame(f)); err != nil {
				t.Fatal(err)
			}
			h, err := ws.ReadHeader(nc)
			if err != nil || h.Length > int64(len(want)) {
				t.Fatalf("%s: header %+v, %v", name, h, err)
			}
			f = ws.Frame{Header: h, Payload: make([]byte, h.Length)}
			if _, err := io.ReadFull(nc, f.Payload); err != nil {
				t.Fatal(err)
			}
			if short := f.Header.Rsv1(); short != (name == "chat" && n >= DeflateFloor) {
				t.Errorf("%s, %d bytes: %d come back, compressed = %v", name, len(want), f.Header.Length, short)
			}
			if f.Header.Rsv1() {
				if f, err = wsflate.DecompressFrame(f); err != nil {
					t.Fatal(err)
				}
			}
			if string(f.Payload) != want {
				t.Fatalf("%s: %d bytes of %d come back", name, len(f.Payload), len(want))
			}
		}
	}
	closeEcho(t, nc, served)
}

// dialEcho connects another implementation's client to an echo server of ours.
func dialEcho(t *testing.T, u Upgrader, dialer ws.Dialer, check func(ws.Handshake)) (nc net.Conn, served chan error) {
	t.Helper()
	addr, results := serve(t, u)
	served = make(chan error, 1)
	go func() {
		got := <-results
		if got.err != nil {
			served <- got.err
			return
		}
		defer func() { _ = got.conn.Close() }()
		served <- echoMessages(got)
	}()
	dialer.Timeout = 20 * time.Second
	nc, br, shake, err := dialer.Dial(context.Background(), (&url.URL{Scheme: "ws", Host: addr, Path: "/"}).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	if br != nil {
		t.Error("a server that spoke first")
	}
	check(shake)
	return nc, served
}

func closeEcho(t *testing.T, nc net.Conn, served chan error) {
	t.Helper()
	if err := wsutil.WriteClientMessage(nc, ws.OpClose, ws.NewCloseFrameBody(1000, "bye")); err != nil {
		t.Fatal(err)
	}
	_, payload := readControl(t, nc)
	if code, reason := ws.ParseCloseFrameData(payload); code != 1000 || reason != "bye" {
		t.Errorf("close %d %q", code, reason)
	}
	if err := <-served; !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

func readControl(t *testing.T, r io.Reader) (ws.OpCode, []byte) {
	t.Helper()
	h, err := ws.ReadHeader(r)
	if err != nil || h.Length > MaxControl {
		t.Fatalf("header %+v, %v", h, err)
	}
	payload := make([]byte, h.Length)
	if _, err := io.ReadFull(r, payload); err != nil {
		t.Fatal(err)
	}
	return h.OpCode, payload
}

// echoMessages answers as a server must; io.EOF when the client said close.
func echoMessages(u upgraded) error {
	p := FromClient(u.Deflate)
	answer := func(op Op, payload []byte) error {
		var b []byte
		switch op {
		case OpPing:
			b = Pong(payload)
		case OpClose:
			b = Close(ParseClose(payload))
		default:
			if u.Deflate {
				b = DeflatedMessage(op, payload)
			}
			if b == nil {
				b = Message(op, payload)
			}
		}
		if _, err := u.conn.Write(b); err != nil {
			return err
		}
		if op == OpClose {
			return io.EOF
		}
		return nil
	}
	b := u.early
	buf := make([]byte, 4096)
	for {
		if err := p.Feed(b, 64<<10, answer); err != nil {
			return err
		}
		n, err := u.conn.Read(buf)
		if err != nil {
			return err
		}
		b = buf[:n]
	}
}
