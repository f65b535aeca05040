package edge

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"selvedge/internal/identity"
	"selvedge/internal/identity/identitytest"
)

// patience bounds what a test waits for; none comes near it.
const patience = 20 * time.Second

const upgradeRequest = "GET /v1/socket HTTP/1.1\r\nHost: edge.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// serving is a linked edge that serves its public port.
type serving struct {
	t    *testing.T
	n    *edgeNode
	addr string
	stop func()
}

func serve(t *testing.T, change func(n *edgeNode)) *serving {
	t.Helper()
	f := newFollower(t)
	f.n.limit = 2
	change(f.n)
	begin(t, f, "e1", 1, 0, 0)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.n.serve(ctx, ln) }()
	stopped := false
	s := &serving{t: t, n: f.n, addr: ln.Addr().String()}
	s.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve = %v", err)
		}
	}
	t.Cleanup(s.stop)
	return s
}

// ask sends requests on a new connection, and gives the statuses of the answers.
func (s *serving) ask(requests ...string) (net.Conn, []int) {
	s.t.Helper()
	nc, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = nc.Close() })
	if s.n.cfg.TLS != nil {
		nc = tls.Client(nc, &tls.Config{InsecureSkipVerify: true})
	}
	in := bufio.NewReader(nc)
	var got []int
	for _, r := range requests {
		if _, err := io.WriteString(nc, r); err != nil {
			s.t.Fatal(err)
		}
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			s.t.Fatal(err)
		}
		if res.StatusCode != http.StatusSwitchingProtocols {
			_, _ = io.Copy(io.Discard, res.Body)
		}
		got = append(got, res.StatusCode)
	}
	return nc, got
}

// accepts waits until so many connections were counted for a result: one of these
// numbers.
func (s *serving) accepts(result string, want ...int) {
	s.t.Helper()
	got := 0
	await(patience, func() bool {
		got = int(testutil.ToFloat64(s.n.metrics.accepts.WithLabelValues(result)))
		return slices.Contains(want, got)
	})
	if !slices.Contains(want, got) {
		s.t.Errorf("%d connections were counted as %s, want %d", got, result, want)
	}
}

// Whatever the way in is, the same comes of what clients ask.
func TestThePublicPort(t *testing.T) {
	ping, foreign := "GET /v1/ping HTTP/1.1\r\nHost: edge.test\r\n\r\n", upgradeRequest[:len(upgradeRequest)-2]+"Origin: http://other.test\r\n\r\n"
	for name, change := range map[string]func(n *edgeNode){
		"plain":    func(n *edgeNode) { n.cfg.Transport = DefaultTransport() },
		"portable": func(n *edgeNode) { n.cfg.Transport = "portable" },
		"TLS": func(n *edgeNode) {
			n.cfg.Transport, n.cfg.TLS = DefaultTransport(), identitytest.ServerKeys(t)
		},
		"portable TLS": func(n *edgeNode) { n.cfg.Transport, n.cfg.TLS = "portable", identitytest.ServerKeys(t) },
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, change)
			if _, got := s.ask(upgradeRequest); got[0] != 101 {
				t.Errorf("a socket: %d", got)
			}
			s.accepts("ok", 1)
			if _, got := s.ask(foreign); got[0] != 403 {
				t.Errorf("a foreign origin: %d", got)
			}
			s.accepts("refused", 1)
			if _, got := s.ask(ping, upgradeRequest); got[0] != 200 || got[1] != 101 {
				t.Errorf("a ping, then a socket: %d", got)
			}
			s.accepts("ok", 2)
			if got := s.n.sockets(); got != 2 {
				t.Errorf("%d sockets", got)
			}
			if _, got := s.ask(upgradeRequest, ping); got[0] != 503 || got[1] != 200 {
				t.Errorf("a full edge: %d", got)
			}
			s.accepts("full", 1)
			pending, _ := s.ask()
			s.stop()
			if _, err := pending.Read(make([]byte, 1)); err == nil {
				t.Error("after the end a handshake is pending")
			}
			if got := s.n.sockets(); got != 2 {
				t.Errorf("the end of the door closed sockets: %d are left", got)
			}
		})
	}
}

// The token may come with the request, and an address with TLS is an https one.
func TestWhatTheEdgeSaysOfItself(t *testing.T) {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/socket", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer abc")
	if got := bearer(r); got != "abc" {
		t.Errorf("token %q", got)
	}
	n := newNode(t)
	n.cfg.Reachable = func(bound net.Addr) (string, error) { return bound.String(), nil }
	at := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 7410}
	for _, tt := range []struct {
		keys      *identity.ServerKeys
		url, want string
	}{
		{nil, "", "http://127.0.0.1:7410"},
		{identitytest.ServerKeys(t), "", "https://127.0.0.1:7410"},
		{identitytest.ServerKeys(t), "https://eu.edge.test", "https://eu.edge.test"},
	} {
		n.cfg.TLS, n.cfg.AdvertiseURL = tt.keys, tt.url
		if self, err := n.describe(at, at); err != nil || self.Public != tt.want {
			t.Errorf("%q, %v; want %s", self.Public, err, tt.want)
		}
	}
}
