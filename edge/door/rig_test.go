package door

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"selvedge/edge/transport"
	"selvedge/edge/websocket"
)

// patience bounds what a test waits for; none comes near it.
const patience = 20 * time.Second

// way is one of the ways in.
type way struct {
	name  string
	tls   bool
	setup func(testing.TB, *Config)
}

// ways are all that there are.
func ways() []way {
	return append(loopWays(),
		way{name: "goroutines", setup: func(testing.TB, *Config) {}},
		way{name: "tls", tls: true, setup: func(_ testing.TB, cfg *Config) {
			cfg.TLS = &tls.Config{Certificates: []tls.Certificate{certificate()}}
		}},
	)
}

// certificate is good for 127.0.0.1.
var certificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "edge"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Unix(0, 0), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

// rig is a door that runs, with an engine that echoes, and an HTTP server that
// says who asked for what, and upgrades too.
type rig struct {
	t      testing.TB
	d      *Door
	way    way
	addr   string
	sink   transport.Loop
	closed atomic.Bool // sockets are not taken
	taken  atomic.Int64
	stop   func()

	mu      sync.Mutex
	results map[Result]int // guarded by mu
	clients []string       // guarded by mu: of the sockets taken
}

func newRig(t testing.TB, w way, change func(*Config)) *rig {
	t.Helper()
	return newRigWith(t, w, change, func(*Door) {})
}

// newRigWith changes the door, too.
func newRigWith(t testing.TB, w way, change func(*Config), adjust func(*Door)) *rig {
	t.Helper()
	r := &rig{t: t, way: w, results: map[Result]int{}, sink: newSink(t)}
	r.d = New(r.config(change))
	adjust(r.d)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.addr = ln.Addr().String()
	r.run(ln)
	return r
}

func (r *rig) config(change func(*Config)) Config {
	cfg := Config{
		Path: "/v1/socket", Check: websocket.Upgrader{}.Check, Open: func() bool { return !r.closed.Load() },
		Take: r.take, HTTP: &http.Server{Handler: r.mux(), MaxHeaderBytes: maxHead},
		Result: func(result Result) {
			r.mu.Lock()
			r.results[result]++
			r.mu.Unlock()
		},
	}
	if r.way.setup != nil {
		r.way.setup(r.t, &cfg)
	}
	if change != nil {
		change(&cfg)
	}
	return cfg
}

// run starts the door and the sink; stop ends both.
func (r *rig) run(ln net.Listener) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := r.d.Run(ctx, ln); err != nil {
			r.t.Errorf("Run = %v", err)
		}
	})
	running.Go(func() {
		if err := r.sink.Run(ctx, echo{}); err != nil {
			r.t.Errorf("the sink: %v", err)
		}
	})
	r.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	r.t.Cleanup(r.stop)
}

func (r *rig) take(a *Arrival) error {
	r.taken.Add(1)
	r.mu.Lock()
	r.clients = append(r.clients, a.Client().String())
	r.mu.Unlock()
	if a.Request.Header.Get("X-Break") != "" {
		_ = a.Enter(brokenEngine{}, nil)
		return errors.New("broken")
	}
	return a.Enter(r, "session")
}

// Take and Attach make rig an Engine.
func (r *rig) Take(c *transport.Conn, early []byte, _ websocket.Agreement, session any) error {
	return c.Move(r.sink, early, session)
}

func (r *rig) Attach(nc net.Conn, early []byte, _ websocket.Agreement, session any) error {
	return r.sink.Add(nc, early, session)
}

// brokenEngine takes nobody.
type brokenEngine struct{}

func (brokenEngine) Take(c *transport.Conn, _ []byte, _ websocket.Agreement, _ any) error {
	c.Close(errors.New("broken"))
	return errors.New("broken")
}

func (brokenEngine) Attach(nc net.Conn, _ []byte, _ websocket.Agreement, _ any) error {
	_ = nc.Close()
	return errors.New("broken")
}

func (r *rig) mux() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/socket", func(w http.ResponseWriter, q *http.Request) {
		if r.closed.Load() {
			http.Error(w, "full", http.StatusServiceUnavailable)
			return
		}
		nc, early, agreed, err := websocket.Upgrader{}.Upgrade(w, q)
		if err != nil {
			return
		}
		nc, rest := Release(nc)
		if err := r.Attach(nc, append(early, rest...), agreed, nil); err != nil {
			r.t.Errorf("attach: %v", err)
		}
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, q *http.Request) {
		n, _ := io.Copy(io.Discard, q.Body)
		_, _ = fmt.Fprintf(w, "%s %s %s %d", q.Method, q.URL.Path, q.RemoteAddr, n)
	})
	return mux
}

// echo is a shard that sends back what it gets.
type echo struct{}

func (echo) Data(c *transport.Conn, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	_, err := c.Write([][]byte{b})
	return err
}
func (echo) Writable(*transport.Conn)      {}
func (echo) Closed(*transport.Conn, error) {}
func (echo) Woken()                        {}
func (echo) Tick(time.Time)                {}

// expect waits until the results are these, and no others.
func (r *rig) expect(want map[Result]int) {
	r.t.Helper()
	var got map[Result]int
	for end := time.Now().Add(patience); time.Now().Before(end); {
		r.mu.Lock()
		got = maps.Clone(r.results)
		r.mu.Unlock()
		if maps.Equal(got, want) {
			return
		}
		<-time.After(time.Millisecond)
	}
	r.t.Errorf("results %v, want %v", got, want)
}

// settled waits until nothing is pending and nobody is at the HTTP server.
func (r *rig) settled() {
	r.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if r.d.pending.Load() == 0 && r.d.pages.held.Load() == 0 {
			return
		}
		<-time.After(time.Millisecond)
	}
	r.t.Errorf("%d handshakes are pending, the HTTP server has %d connections", r.d.pending.Load(), r.d.pages.held.Load())
}

// caller is a client.
type caller struct {
	net.Conn
	t  testing.TB
	in *bufio.Reader
}

func (r *rig) dial() *caller { return r.dialAfter(nil) }

// dialAfter sends first before anything else, also before TLS.
func (r *rig) dialAfter(first []byte) *caller {
	r.t.Helper()
	nc, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		r.t.Fatal(err)
	}
	if _, err := nc.Write(first); err != nil {
		r.t.Fatal(err)
	}
	if r.way.tls {
		nc = tls.Client(nc, &tls.Config{InsecureSkipVerify: true})
	}
	return &caller{nc, r.t, bufio.NewReader(nc)}
}

// send sends s in pieces of n bytes.
func (c *caller) send(s string, n int) {
	c.t.Helper()
	for len(s) > 0 {
		k := min(n, len(s))
		if _, err := io.WriteString(c, s[:k]); err != nil {
			c.t.Fatal(err)
		}
		s = s[k:]
	}
}

// status reads an answer whose first line must hold want, and its body.
func (c *caller) status(want string) string {
	c.t.Helper()
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		c.t.Errorf("no answer: %v, want %s", err, want)
		return ""
	}
	body, err := io.ReadAll(res.Body)
	if res.StatusCode == http.StatusSwitchingProtocols {
		body, err = nil, nil // it is the socket
	}
	if err != nil || !strings.HasPrefix(res.Status, want) {
		c.t.Errorf("%s %q, %v, want %s", res.Status, body, err, want)
	}
	return string(body)
}

// echoes checks that the socket gives s back.
func (c *caller) echoes(s string) {
	c.t.Helper()
	got := make([]byte, len(s))
	if n, err := io.ReadFull(c.in, got); err != nil || string(got) != s {
		c.t.Errorf("the socket gave %d bytes back, %v, want %d: %.40q", n, err, len(s), got)
	}
}

// end checks that the door closes, with nothing more to read.
func (c *caller) end() {
	c.t.Helper()
	n, err := io.Copy(io.Discard, c.in)
	if timeout := net.Error(nil); n > 0 || errors.As(err, &timeout) && timeout.Timeout() {
		c.t.Errorf("%d bytes, %v; want the end", n, err)
	}
}

// request is a head with more fields than it needs.
func request(line string, fields ...string) string {
	return line + "\r\nHost: edge.test\r\n" + strings.Join(append(fields, ""), "\r\n") + "\r\n"
}

// upgrade asks for a socket.
func upgrade(fields ...string) string {
	return request("GET /v1/socket HTTP/1.1", append([]string{
		"Upgrade: websocket", "Connection: keep-alive, Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
	}, fields...)...)
}

// becomes waits until there are so many of something.
func (r *rig) becomes(what string, number func() int, want int) {
	r.t.Helper()
	for end := time.Now().Add(patience); number() != want; {
		if time.Now().After(end) {
			r.t.Fatalf("%s: %d, want %d", what, number(), want)
		}
		<-time.After(time.Millisecond)
	}
}
