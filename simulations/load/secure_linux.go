package load

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// secure is the sockets of a group that speak TLS: a goroutine each, because
// what is measured of them is the server's memory.
type secure struct {
	group *group
	to    targets
	tls   *tls.Config
	pages sync.Pool // of *checker

	running sync.WaitGroup
	mu      sync.Mutex
	conns   []net.Conn // guarded by mu; nil once dropped
	dropped bool       // guarded by mu
}

func newSecure(b *book, g *group, to targets, ca string) (*secure, error) {
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s has no certificate", ca)
	}
	s := &secure{group: g, to: to, tls: &tls.Config{RootCAs: roots, ServerName: to.addrs[0].Addr().String(), MinVersion: tls.VersionTLS12}}
	s.pages.New = func() any { return b.checker() }
	return s, nil
}

// connect begins the sockets of all tokens, so many at once.
func (s *secure) connect(inFlight int) {
	slots := make(chan struct{}, inFlight) // never closed
	tokens := s.group.tokens
	s.running.Go(func() {
		for turn, token := range tokens {
			slots <- struct{}{}
			s.running.Go(func() { s.serve(turn, token, func() { <-slots }) })
		}
	})
}

// serve is one socket's life. welcome is called when it is welcome, or never
// will be.
func (s *secure) serve(turn int, token string, welcome func()) {
	waiting := sync.OnceFunc(welcome)
	defer waiting()
	r, err := newReceiver(s.group, token)
	if err != nil {
		s.group.ended(&receiver{}, err)
		return
	}
	err = s.receive(r, turn, waiting)
	s.mu.Lock()
	ours := s.dropped
	s.mu.Unlock()
	if ours {
		if r.stage == running {
			s.group.open.Add(-1)
		}
		return
	}
	s.group.ended(r, err)
}

// receive connects, and reads until it can't.
func (s *secure) receive(r *receiver, turn int, waiting func()) error {
	r.began = Now()
	dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(source(turn), 0)), Control: chooseLate}
	nc, err := dialer.DialContext(context.Background(), "tcp", s.to.of(turn).String())
	if err != nil {
		return err
	}
	defer func() { _ = nc.Close() }() // it is of no use any more
	if !s.keep(nc) {
		return net.ErrClosed
	}
	conn := tls.Client(nc, s.tls)
	if _, err := conn.Write(s.to.request); err != nil { // shakes hands first
		return err
	}
	buf := make([]byte, 4<<10)
	n := 0
	for {
		if n == len(buf) {
			buf = append(buf, make([]byte, len(buf))...)
		}
		got, err := conn.Read(buf[n:])
		if err != nil {
			return fmt.Errorf("%w: %w", errGone, err)
		}
		n += got
		page := s.pages.Get().(*checker)
		reply, used, err := r.feed(page, buf[:n])
		s.pages.Put(page)
		if err != nil {
			return err
		}
		n = copy(buf, buf[used:n])
		if len(reply) > 0 {
			if _, err := conn.Write(reply); err != nil {
				return err
			}
		}
		if r.stage == running {
			waiting()
		}
	}
}

// keep remembers a connection so that drop closes it; false = it came too late.
func (s *secure) keep(nc net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.dropped {
		s.conns = append(s.conns, nc)
	}
	return !s.dropped
}

// drop closes all, and waits for them.
func (s *secure) drop() {
	s.mu.Lock()
	s.dropped = true
	for _, nc := range s.conns {
		_ = nc.Close() // nobody needs it any more
	}
	s.conns = nil
	s.mu.Unlock()
	s.running.Wait()
}

// chooseLate has the port chosen when the destination is known.
func chooseLate(_, _ string, c syscall.RawConn) error {
	var set error
	err := c.Control(func(fd uintptr) { set = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1) })
	if err != nil {
		return err
	}
	return set
}
