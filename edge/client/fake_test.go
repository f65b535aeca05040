package client

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"

	"selvedge/internal/config"
	"selvedge/wire"
)

// network is a world of edges in memory: addresses are names.
type network struct {
	mu        sync.Mutex
	hosts     map[string]*fakeEdge
	dials     []string // of WebSockets, in order
	questions []string // for other edges: who was asked, and the query
	asked     []string // with them
}

func (n *network) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	n.mu.Lock()
	e := n.hosts[strings.TrimSuffix(addr, ":80")]
	if e == nil {
		n.mu.Unlock()
		return nil, fmt.Errorf("dial %s: connection refused", addr)
	}
	rtt := e.rtt
	n.mu.Unlock()
	select {
	case <-time.After(rtt):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	near, far := net.Pipe()
	select {
	case e.incoming <- far:
		return near, nil
	case <-e.closed:
		return nil, fmt.Errorf("dial %s: connection refused", addr)
	}
}

// fakeEdge serves what a test tells it to.
type fakeEdge struct {
	id       string
	rtt      time.Duration // of a dial, and of a ping
	slower   time.Duration // than its dial a ping is
	named    []Edge        // answers /v1/edges
	status   int           // refuses WebSockets, if not 0
	after    string        // the refusal's Retry-After
	rest     time.Duration // retry_after_ms of /v1/edges, if not 0
	deflate  bool          // takes an offer to compress
	network  *network
	incoming chan net.Conn
	closed   chan struct{} // closed by stop
	conns    chan *fakeConn
	served   sync.WaitGroup
	server   *http.Server
}

func (n *network) edge(t *testing.T, id string) *fakeEdge {
	t.Helper()
	e := &fakeEdge{
		id: id, network: n,
		incoming: make(chan net.Conn), closed: make(chan struct{}), conns: make(chan *fakeConn, 8),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/ping", func(http.ResponseWriter, *http.Request) {
		e.network.mu.Lock()
		took := e.rtt + e.slower
		e.network.mu.Unlock()
		<-time.After(took)
	})
	mux.HandleFunc("GET /v1/edges", func(w http.ResponseWriter, r *http.Request) {
		e.network.mu.Lock()
		e.network.questions = append(e.network.questions, e.id+" "+r.URL.RawQuery)
		e.network.mu.Unlock()
		body := map[string]any{"edges": e.named}
		if e.rest > 0 {
			body["retry_after_ms"] = e.rest.Milliseconds()
		}
		_ = json.NewEncoder(w).Encode(body)
	})
	mux.HandleFunc("GET /v1/socket", e.socket)
	e.server = &http.Server{Handler: mux}
	n.mu.Lock()
	if n.hosts == nil {
		n.hosts = map[string]*fakeEdge{}
	}
	n.hosts[id] = e
	n.mu.Unlock()
	e.served.Go(func() { _ = e.server.Serve(e) })
	t.Cleanup(e.stop)
	return e
}

// move changes how far away it is.
func (e *fakeEdge) move(rtt, slower time.Duration) {
	e.network.mu.Lock()
	defer e.network.mu.Unlock()
	e.rtt, e.slower = rtt, slower
}

func (e *fakeEdge) url() string { return "http://" + e.id }

// Accept implements net.Listener.
func (e *fakeEdge) Accept() (net.Conn, error) {
	select {
	case c := <-e.incoming:
		return c, nil
	case <-e.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (e *fakeEdge) Close() error { return nil }

// Addr implements net.Listener.
func (e *fakeEdge) Addr() net.Addr { return &net.TCPAddr{} }

// stop is a kill: connections are gone, and new ones refused.
func (e *fakeEdge) stop() {
	e.network.mu.Lock()
	_, up := e.network.hosts[e.id]
	delete(e.network.hosts, e.id)
	e.network.mu.Unlock()
	if !up {
		return
	}
	close(e.closed)
	_ = e.server.Close()
	e.served.Wait()
}

func (e *fakeEdge) socket(w http.ResponseWriter, r *http.Request) {
	e.network.mu.Lock()
	e.network.dials = append(e.network.dials, e.id)
	e.network.asked = append(e.network.asked, r.URL.String())
	e.network.mu.Unlock()
	if e.status != 0 {
		w.Header().Set("Retry-After", cmp.Or(e.after, "7"))
		w.WriteHeader(e.status)
		return
	}
	c := &fakeConn{edge: e}
	up := ws.HTTPUpgrader{Protocol: func(name string) bool {
		for codec := range wire.Codecs {
			if name == codec.Subprotocol() {
				c.codec = codec
				return true
			}
		}
		return false
	}}
	ext := wsflate.Extension{Parameters: wsflate.DefaultParameters}
	if e.deflate {
		up.Negotiate = ext.Negotiate
	}
	conn, _, _, err := up.Upgrade(r, w)
	if err != nil {
		return
	}
	_, c.deflate = ext.Accepted()
	_, c.offered = r.Header["Sec-Websocket-Extensions"]
	c.Conn = conn
	e.conns <- c
}

// fakeConn is the edge's end of a WebSocket; a test holds it.
type fakeConn struct {
	net.Conn
	edge    *fakeEdge
	codec   wire.Codec
	offered bool // the client offered to compress
	deflate bool // and the edge agreed: it compresses all it sends
	short   int  // compressed messages of the client
}

// next is the next message of the client; control frames come as "ws:ping" etc.
func (c *fakeConn) next(t *testing.T) wire.ClientMessage {
	t.Helper()
	h, err := ws.ReadHeader(c)
	if err != nil {
		t.Fatalf("read from the client: %v", err)
	}
	if !h.Masked || h.Length > wire.MaxClientMessage {
		t.Fatalf("a client's frame %+v", h)
	}
	payload := make([]byte, h.Length)
	if _, err := io.ReadFull(c, payload); err != nil {
		t.Fatalf("read from the client: %v", err)
	}
	ws.Cipher(payload, h.Mask, 0)
	if h.Rsv1() {
		if payload, err = wsflate.DefaultHelper.Decompress(payload); err != nil || !c.deflate || h.OpCode.IsControl() {
			t.Fatalf("a client's frame %+v is compressed: %v", h, err)
		}
		c.short++
	}
	switch h.OpCode {
	case ws.OpPong:
		return wire.ClientMessage{T: "ws:pong", MsgID: string(payload)}
	case ws.OpClose:
		code, _ := ws.ParseCloseFrameData(payload)
		return wire.ClientMessage{T: "ws:close", ID: uint64(code)}
	default:
	}
	m, err := wire.ParseClientMessage(c.codec, payload)
	if err != nil {
		t.Fatalf("message of the client: %v", err)
	}
	return *m
}

func (c *fakeConn) expect(t *testing.T, kind string) wire.ClientMessage {
	t.Helper()
	m := c.next(t)
	if m.T != kind {
		t.Fatalf("the client sent %+v, want %s", m, kind)
	}
	return m
}

func (c *fakeConn) send(t *testing.T, m any) {
	t.Helper()
	payload, err := c.codec.Append(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	op := ws.OpBinary
	if c.codec == wire.JSON {
		op = ws.OpText
	}
	f := ws.NewFrame(op, true, payload)
	if c.deflate {
		if f, err = wsflate.CompressFrame(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := ws.WriteFrame(c, f); err != nil {
		t.Fatalf("write to the client: %v", err)
	}
}

func wsPing(c *fakeConn) error { return ws.WriteFrame(c, ws.NewPingFrame(nil)) }

// message sends a frame of log 0.
func (c *fakeConn) message(t *testing.T, ch wire.Channel, seq, prev wire.Seq) {
	t.Helper()
	c.send(t, &Message{T: "message", Ch: ch, Seq: seq, Prev: prev, TS: 1, From: "u2", Data: text(fmt.Sprint(seq))})
}

func text(s string) wire.Data {
	d, err := wire.ParseJSON([]byte(`{"text":"<` + s + `>"}`))
	if err != nil {
		panic(err)
	}
	return d
}

// welcome answers hello, and returns it.
func (c *fakeConn) welcome(t *testing.T, at wire.Seq) wire.ClientMessage {
	t.Helper()
	hello := c.expect(t, wire.THello)
	w := wire.Welcome{
		T: wire.TWelcome, User: wire.UserInfo{ID: "u1"}, Edge: wire.EdgeInfo{ID: c.edge.id, Region: "eu-west"}, Ping: 25,
		Cursor: wire.Cursor{Epoch: "e", At: wire.At{"0": at}, V: 1},
	}
	if hello.Resume != nil {
		w.Resumed, w.Cursor = true, *hello.Resume
	}
	c.send(t, &w)
	return hello
}

// bye closes with a code, as an edge does, and waits for the client's answer.
func (c *fakeConn) bye(t *testing.T, code wire.CloseCode, reason string) {
	t.Helper()
	if err := ws.WriteFrame(c, ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusCode(code), reason))); err != nil {
		t.Fatalf("close: %v", err)
	}
	_, _ = io.Copy(io.Discard, c)
	_ = c.Close()
}

// harness is a client that runs in a bubble.
type harness struct {
	*Client
	cancel   context.CancelFunc
	done     chan error
	messages []*Message
	states   []State
	events   []string
}

func run(t *testing.T, n *network, cfg Config) *harness {
	t.Helper()
	h := &harness{done: make(chan error, 1)}
	cfg.Dial = n.dial
	if cfg.Token == nil {
		cfg.Token = func(context.Context) (string, error) { return "token", nil }
	}
	cfg.Events.Message = func(m *Message) { h.messages = append(h.messages, m) }
	cfg.Events.State = func(s State) { h.states = append(h.states, s) }
	cfg.Events.Gap = func(g *wire.Gap) { h.events = append(h.events, fmt.Sprintf("gap %d-%d", g.From, g.To)) }
	cfg.Events.Violation = func(v Violation) {
		h.events = append(h.events, fmt.Sprintf("violation %d-%d again=%v", v.Covered, v.Prev, v.Again))
	}
	client, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	h.Client = client
	ctx, cancel := context.WithCancel(t.Context())
	h.cancel = cancel
	go func() { h.done <- client.Run(ctx) }()
	return h
}

// finish interrupts the client, whose edge says good bye.
func (h *harness) finish(t *testing.T, c *fakeConn) {
	t.Helper()
	h.cancel()
	if c != nil {
		if m := c.expect(t, "ws:close"); m.ID != 1000 {
			t.Errorf("the client closed with %d", m.ID)
		}
		_ = c.Close()
	}
	if err := <-h.done; !errors.Is(err, context.Canceled) {
		t.Errorf("Run: %v", err)
	}
	<-time.After(time.Second) // dials of questions that were given up
}

// got is the positions of the delivered frames.
func (h *harness) got() []wire.Seq {
	synctest.Wait()
	var out []wire.Seq
	for _, m := range h.messages {
		out = append(out, m.Seq)
	}
	return out
}

// buffers are a command's streams.
type buffers struct {
	mu       sync.Mutex
	out, err strings.Builder
}

type stream struct {
	b  *buffers
	to *strings.Builder
}

func (s stream) Write(p []byte) (int, error) {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	return s.to.Write(p)
}

func (b *buffers) io() *config.IO {
	return &config.IO{Stdin: strings.NewReader(""), Stdout: stream{b, &b.out}, Stderr: stream{b, &b.err}}
}

func (b *buffers) text() (stdout, stderr string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.out.String(), b.err.String()
}
