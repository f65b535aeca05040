package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// maxBacklog bounds the ciphertext that waits for a peer who doesn't read, in
// bytes: a record, which is what a Write may leave (some 16 KiB), and the
// answers to what the peer makes crypto/tls say, such as key updates.
const maxBacklog = 64 << 10

// errBacklog ends a conn whose peer asks for answers and doesn't read them.
var errBacklog = fmt.Errorf("transport: the peer leaves more than %d bytes of ciphertext unread", maxBacklog)

// errDry is what a pipe without bytes says. To crypto/tls it is a timeout, the
// one kind of error that it forgets (Conn.readRecordOrCCS).
var errDry net.Error = dry{}

type dry struct{}

func (dry) Error() string   { return "transport: nothing to read now" }
func (dry) Timeout() bool   { return true }
func (dry) Temporary() bool { return true }

// pipe is what crypto/tls takes for its connection. With nc set it is nc. With
// nc nil it never blocks: it reads what was fed, and writes to the socket what
// there is room for and keeps the rest.
type pipe struct {
	nc    net.Conn
	fd    int32  // where to write to; -1 = nowhere, all is kept
	ended bool   // the peer sends no more
	last  bool   // no bound for out: nothing comes after it
	full  bool   // out was past its bound; crypto/tls may keep that to itself
	in    []byte // was read and not yet decrypted
	mine  bool   // in is the pipe's own memory
	out   []byte // is to be written
}

// feed gives the pipe bytes to read, behind those it kept, which it only looks
// at until the next feed or keep.
func (p *pipe) feed(b []byte) {
	if len(p.in) > 0 {
		p.keep()
		p.in = append(p.in, b...)
		return
	}
	p.in, p.mine = b, false
}

// keep copies what was fed and not read.
func (p *pipe) keep() {
	if !p.mine {
		p.in, p.mine = bytes.Clone(p.in), true
	}
	if len(p.in) == 0 {
		p.in, p.mine = nil, false
	}
}

func (p *pipe) Read(b []byte) (int, error) {
	if len(p.in) > 0 {
		n := copy(b, p.in)
		p.in = p.in[n:]
		return n, nil
	}
	switch {
	case p.nc != nil:
		return p.nc.Read(b)
	case p.ended:
		return 0, io.EOF
	default:
		return 0, errDry
	}
}

func (p *pipe) Write(b []byte) (int, error) {
	if p.nc != nil {
		if len(p.out) > 0 {
			if _, err := p.nc.Write(p.out); err != nil {
				return 0, err
			}
			p.out = nil
		}
		return p.nc.Write(b)
	}
	n := 0
	if len(p.out) == 0 && p.fd >= 0 {
		var err error
		if n, err = push(int(p.fd), b); err != nil {
			return n, err
		}
	}
	if len(p.out)+len(b)-n > maxBacklog && !p.last {
		p.full = true
		return n, errBacklog
	}
	p.out = append(p.out, b[n:]...)
	return len(b), nil
}

// flush writes what was kept, as far as there is room.
func (p *pipe) flush() error {
	if len(p.out) == 0 || p.fd < 0 {
		return nil
	}
	n, err := push(int(p.fd), p.out)
	if p.out = p.out[n:]; len(p.out) == 0 {
		p.out = nil
	}
	return err
}

// Close closes nc; without one, the descriptor is the loop's to close.
func (p *pipe) Close() error {
	if p.nc != nil {
		return p.nc.Close()
	}
	return nil
}

func (p *pipe) LocalAddr() net.Addr {
	if p.nc != nil {
		return p.nc.LocalAddr()
	}
	return nil
}

func (p *pipe) RemoteAddr() net.Addr {
	if p.nc != nil {
		return p.nc.RemoteAddr()
	}
	return nil
}

func (p *pipe) SetDeadline(at time.Time) error {
	return errors.Join(p.SetReadDeadline(at), p.SetWriteDeadline(at))
}

func (p *pipe) SetReadDeadline(at time.Time) error {
	if p.nc != nil {
		return p.nc.SetReadDeadline(at)
	}
	return nil
}

func (p *pipe) SetWriteDeadline(at time.Time) error {
	if p.nc != nil {
		return p.nc.SetWriteDeadline(at)
	}
	return nil
}
