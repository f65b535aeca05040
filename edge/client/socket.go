package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"selvedge/edge/websocket"
	"selvedge/wire"
)

const (
	dialTimeout  = 10 * time.Second
	writeTimeout = 10 * time.Second
	closeTimeout = time.Second // for what is left to say when a connection ends
	readBuffer   = 4 << 10
	// maxMessage bounds one message of an edge: a reply or frame of 1 MiB, and
	// what its JSON form may add.
	maxMessage = 2 << 20
	// keepBuffer is the largest buffer that is kept between messages: most are
	// small, and a thousand clients live in one process.
	keepBuffer = 4 << 10
	// rsv1 marks a compressed message (RFC 7692, section 6).
	rsv1 = 0x4
)

// socket is one WebSocket, client side (RFC 6455). One goroutine reads, one
// writes.
type socket struct {
	net.Conn
	codec   wire.Codec
	deflate bool // messages may be compressed
	start   time.Time
	// heard is when bytes last came, as time since start.
	heard atomic.Int64

	// owned by the reader
	in       *bufio.Reader
	head     [ws.MaxHeaderSize]byte
	buffer   []byte
	inflated []byte

	// owned by the writer
	out []byte
}

// dial opens a WebSocket to the edge with base URL base; resumes says that a hello
// with a cursor will follow, which an edge in a storm takes first. retryAfter is
// how long a refusing edge asks to be left alone.
func dial(ctx context.Context, cfg *Config, base string, resumes bool) (_ *socket, retryAfter time.Duration, err error) {
	target, err := endpoint(base, "/v1/socket", "ws")
	if err != nil {
		return nil, 0, err
	}
	if resumes && !strings.Contains(target, "?") {
		target += "?resume=1"
	}
	s := &socket{start: time.Now(), codec: wire.Msgpack}
	if cfg.JSON {
		s.codec = wire.JSON
	}
	dialer := ws.Dialer{
		Timeout:        dialTimeout,
		ReadBufferSize: readBuffer,
		Protocols:      []string{s.codec.Subprotocol()},
		NetDial:        cfg.Dial,
		TLSConfig:      cfg.TLS,
		WrapConn: func(conn net.Conn) net.Conn {
			s.Conn = conn
			return s
		},
		OnStatusError: func(_ int, _ []byte, r io.Reader) {
			resp, err := http.ReadResponse(bufio.NewReader(r), nil)
			if err != nil {
				return
			}
			_ = resp.Body.Close()
			if d, err := time.ParseDuration(resp.Header.Get("Retry-After") + "s"); err == nil {
				retryAfter = min(max(d, 0), mostRest)
			}
		},
	}
	if cfg.Compress {
		dialer.Extensions = append(dialer.Extensions, offer.Option())
	}
	conn, in, handshake, err := dialer.Dial(ctx, target)
	if err != nil {
		if status, ok := errors.AsType[ws.StatusError](err); ok {
			err = fmt.Errorf("%s answers %d to a WebSocket: is it the public address of an edge?", target, int(status))
			if status == http.StatusServiceUnavailable {
				err = errors.New("the edge takes no more connections (503)")
			}
		}
		return nil, retryAfter, err
	}
	if handshake.Protocol != s.codec.Subprotocol() {
		_ = conn.Close()
		return nil, 0, fmt.Errorf("%s does not speak %s: is it the public address of an edge?", target, s.codec.Subprotocol())
	}
	if s.deflate, err = agreed(&handshake); err != nil {
		_ = conn.Close()
		return nil, 0, fmt.Errorf("%s answers amiss to an offer of compression: %w", target, err)
	}
	// The dialer's reader is set only if it holds bytes already. It is kept
	// then: it has the size that we want.
	if s.in = in; in == nil {
		s.in = bufio.NewReaderSize(s, readBuffer)
	}
	return s, 0, nil
}

// Read notes that the edge was heard: any byte is a sign of life.
func (s *socket) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	if n > 0 {
		s.heard.Store(int64(time.Since(s.start)))
	}
	return n, err
}

// silence is how long nothing was heard.
func (s *socket) silence() time.Duration {
	return time.Since(s.start) - time.Duration(s.heard.Load())
}

// receive is the next message; it is valid until the next call. Pings go to
// onPing. Errors are *closeError, errDefect, or the network's.
func (s *socket) receive(onPing func([]byte)) ([]byte, error) {
	message := s.buffer[:0]
	if cap(message) > keepBuffer {
		message, s.buffer = nil, nil
	}
	want := ws.OpBinary
	if s.codec == wire.JSON {
		want = ws.OpText
	}
	for fragmented, deflated := false, false; ; {
		h, err := ws.ReadHeaderBuffer(s.in, s.head[:])
		if err != nil {
			return nil, err
		}
		switch {
		case h.Masked || h.Rsv != 0 && (!s.deflate || h.Rsv != rsv1 || h.OpCode != want):
			return nil, fmt.Errorf("%w: a masked frame, or one with reserved bits", errDefect)
		case h.OpCode.IsControl():
			if err := s.control(h, onPing); err != nil {
				return nil, err
			}
			continue
		case fragmented && h.OpCode != ws.OpContinuation || !fragmented && h.OpCode != want:
			return nil, fmt.Errorf("%w: opcode %#x where %s is spoken", errDefect, byte(h.OpCode), s.codec)
		case h.Length > maxMessage-int64(len(message)):
			return nil, fmt.Errorf("%w: a message of more than %d bytes", errDefect, maxMessage)
		}
		deflated = deflated || h.Rsv != 0
		had := len(message)
		message = append(message, make([]byte, h.Length)...)
		if _, err := io.ReadFull(s.in, message[had:]); err != nil {
			return nil, err
		}
		if fragmented = !h.Fin; fragmented {
			continue
		}
		s.buffer = message
		if deflated {
			if message, err = s.inflate(message); err != nil {
				return nil, err
			}
		}
		if s.codec == wire.JSON && !utf8.Valid(message) {
			return nil, fmt.Errorf("%w: text that is not UTF-8", errDefect)
		}
		return message, nil
	}
}

func (s *socket) control(h ws.Header, onPing func([]byte)) error {
	if h.Length > ws.MaxControlFramePayloadSize || !h.Fin {
		return fmt.Errorf("%w: a control frame of %d bytes or in parts", errDefect, h.Length)
	}
	payload := make([]byte, h.Length)
	if _, err := io.ReadFull(s.in, payload); err != nil {
		return err
	}
	switch h.OpCode {
	case ws.OpPing:
		onPing(payload)
	case ws.OpClose:
		code, reason := ws.ParseCloseFrameData(payload)
		return &closeError{code: wire.CloseCode(code), reason: reason}
	default: // a pong says what its arrival has said
	}
	return nil
}

// send writes one frame, with reserved bits rsv. Once ctx has ended, a deadline
// stands that must not be put off: nothing is sent then.
func (s *socket) send(ctx context.Context, timeout time.Duration, op ws.OpCode, rsv byte, payload []byte) error {
	h := ws.Header{Fin: true, Rsv: rsv, OpCode: op, Masked: true, Mask: ws.NewMask(), Length: int64(len(payload))}
	w := frameWriter{s.out[:0]}
	if err := ws.WriteHeader(&w, h); err != nil {
		return err
	}
	head := len(w.b)
	frame := append(w.b, payload...)
	ws.Cipher(frame[head:], h.Mask, 0)
	if s.out = frame; cap(frame) > keepBuffer {
		s.out = nil
	}
	if err := s.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	_, err := s.Write(frame)
	return err
}

func (s *socket) message(ctx context.Context, payload []byte) error {
	op, rsv := ws.OpBinary, byte(0)
	if s.codec == wire.JSON {
		op = ws.OpText
	}
	if s.deflate {
		if b, ok := websocket.AppendDeflated(nil, payload); ok {
			payload, rsv = b, rsv1
		}
	}
	return s.send(ctx, writeTimeout, op, rsv, payload)
}

func (s *socket) pong(ctx context.Context, payload []byte) error {
	return s.send(ctx, writeTimeout, ws.OpPong, 0, payload)
}

// frameWriter collects a frame, so that it goes out in one write.
type frameWriter struct{ b []byte }

func (w *frameWriter) Write(b []byte) (int, error) {
	w.b = append(w.b, b...)
	return len(b), nil
}
