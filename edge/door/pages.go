package door

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
)

// maxWaiting is how many connections may wait for the HTTP server, which takes
// them as fast as it can start goroutines. One more is closed.
const maxWaiting = 1024

// pages is the net.Listener of the HTTP server: what the door found to be no
// socket.
type pages struct {
	addr net.Addr
	held atomic.Int64 // connections given and not yet closed or released

	waiting chan *replay  // never closed
	done    chan struct{} // closed by Close
	once    sync.Once
}

func newPages() *pages {
	return &pages{waiting: make(chan *replay, maxWaiting), done: make(chan struct{})}
}

// give hands nc to the HTTP server, which reads early first, a copy of which is
// made. Client is what it sees as the remote address; if not valid, nc's own. It
// never blocks; false means that nc was closed.
func (p *pages) give(nc net.Conn, early []byte, client netip.AddrPort) bool {
	r := &replay{Conn: nc, early: append([]byte(nil), early...), remote: nc.RemoteAddr(), p: p}
	if client.IsValid() {
		r.remote = net.TCPAddrFromAddrPort(client)
	}
	p.held.Add(1)
	select {
	case <-p.done:
	default:
		select {
		case p.waiting <- r:
			p.sweep()
			return true
		default:
		}
	}
	_ = r.Close()
	return false
}

// sweep closes what waits if nobody will take it any more.
func (p *pages) sweep() {
	select {
	case <-p.done:
	default:
		return
	}
	for {
		select {
		case r := <-p.waiting:
			_ = r.Close()
		default:
			return
		}
	}
}

func (p *pages) Accept() (net.Conn, error) {
	select {
	case r := <-p.waiting:
		return r, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

// Close closes what waits; what was accepted lives on.
func (p *pages) Close() error {
	p.once.Do(func() { close(p.done) })
	p.sweep()
	return nil
}

func (p *pages) Addr() net.Addr { return p.addr }

// replay is a connection whose first bytes were read already.
type replay struct {
	net.Conn
	early  []byte // owned by the reader
	remote net.Addr
	p      *pages
	gone   atomic.Bool // not counted in p.held
}

func (r *replay) Read(b []byte) (int, error) {
	if len(r.early) == 0 {
		return r.Conn.Read(b)
	}
	n := copy(b, r.early)
	if r.early = r.early[n:]; len(r.early) == 0 {
		r.early = nil
	}
	return n, nil
}

func (r *replay) RemoteAddr() net.Addr { return r.remote }

// CloseWrite is what http.Server ends an answer with whose request it did not
// read to the end.
func (r *replay) CloseWrite() error {
	if half, ok := r.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

func (r *replay) Close() error {
	r.leave()
	return r.Conn.Close()
}

func (r *replay) leave() {
	if !r.gone.Swap(true) {
		r.p.held.Add(-1)
	}
}

// Release is nc as it was accepted, where a handler took it over (Hijack) from
// an HTTP server that a door feeds, and the bytes that were replayed to nobody
// yet. Others are returned as they are.
func Release(nc net.Conn) (bare net.Conn, rest []byte) {
	r, ok := nc.(*replay)
	if !ok {
		return nc, nil
	}
	r.leave()
	return r.Conn, r.early
}
