package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"
)

var errNoHandshake = errors.New("transport: a TLSConn's handshake comes before Add")

// TLSConn is the server's side of a TLS connection that any loop's Add takes
// once its handshake is done. Until then it is an ordinary net.Conn that
// blocks; from then on it is the loop's.
//
// The epoll loop goes on without blocking: crypto/tls works on what has been
// read and leaves what is to be written, see pipe. So all that crypto/tls does
// (TLS 1.2 and 1.3, key updates, alerts) is done by crypto/tls.
type TLSConn struct {
	tls   *tls.Conn
	pipe  pipe
	plain []byte // was decrypted before the conn left its loop, and comes first
}

// NewTLS is the server's side of TLS over nc, for which a loop must have a use
// itself: the epoll loop takes kernel sockets only.
//
// cfg is kept, and may be shared by all. Three settings matter for sockets that
// idle: DynamicRecordSizingDisabled saves small records at the beginning,
// SessionTicketsDisabled saves what a ticket costs where nobody resumes, and
// client certificates stay in memory as long as the conn.
func NewTLS(nc net.Conn, cfg *tls.Config) *TLSConn {
	t := &TLSConn{pipe: pipe{nc: nc, fd: -1}}
	t.tls = tls.Server(&t.pipe, cfg)
	return t
}

// HandshakeContext runs the handshake, and closes nc if ctx ends before it.
func (t *TLSConn) HandshakeContext(ctx context.Context) error { return t.tls.HandshakeContext(ctx) }

// ConnectionState tells what was agreed.
func (t *TLSConn) ConnectionState() tls.ConnectionState { return t.tls.ConnectionState() }

func (t *TLSConn) Read(b []byte) (int, error) {
	if len(t.plain) > 0 {
		n := copy(b, t.plain)
		if t.plain = t.plain[n:]; len(t.plain) == 0 {
			t.plain = nil
		}
		return n, nil
	}
	return t.tls.Read(b)
}

func (t *TLSConn) Write(b []byte) (int, error) { return t.tls.Write(b) }

// Close says goodbye to the peer, for which it may wait 5 s, and closes nc.
func (t *TLSConn) Close() error { return t.tls.Close() }

// CloseWrite says that nothing more comes, and half-closes nc if it can be.
func (t *TLSConn) CloseWrite() error {
	if err := t.tls.CloseWrite(); err != nil {
		return err
	}
	if half, ok := t.pipe.nc.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// LocalAddr is nc's.
func (t *TLSConn) LocalAddr() net.Addr { return t.tls.LocalAddr() }

// RemoteAddr is nc's.
func (t *TLSConn) RemoteAddr() net.Addr { return t.tls.RemoteAddr() }

// SetDeadline sets nc's. A write that misses it is the last.
func (t *TLSConn) SetDeadline(at time.Time) error { return t.tls.SetDeadline(at) }

// SetReadDeadline sets nc's.
func (t *TLSConn) SetReadDeadline(at time.Time) error { return t.tls.SetReadDeadline(at) }

// SetWriteDeadline sets nc's. A write that misses it is the last.
func (t *TLSConn) SetWriteDeadline(at time.Time) error { return t.tls.SetWriteDeadline(at) }
