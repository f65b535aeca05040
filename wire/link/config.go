package link

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/quic-go/quic-go"

	"selvedge/wire"
)

// ALPN is the protocol that both ends name in TLS.
const ALPN = "selvedge/1"

// version is the link protocol's own, said in hello.
const version = 2

// Errors of links.
var (
	// ErrRefused: the upstream closed the link on hello, for the reason that
	// follows.
	ErrRefused = errors.New("link refused")
	// ErrProtocol: the peer sent what this version doesn't know.
	ErrProtocol = errors.New("link protocol error")
	// ErrElsewhere: a source does not have what is asked of a log. Others do.
	ErrElsewhere = errors.New("not to be had here")
)

// Application error codes of a closed connection.
const (
	codeDone     quic.ApplicationErrorCode = 0
	codeProtocol quic.ApplicationErrorCode = 1
)

// leaving is the reason of a server that stops: its links end in good order, and
// it will not be back soon.
const leaving = "leaving"

const (
	// pingEvery paces the pings that measure round trip and clock offset, and
	// keep the connection alive.
	pingEvery = time.Second
	// pingEarly is how much sooner or later a ping may come to go with watermarks.
	pingEarly = 200 * time.Millisecond
	// idleTimeout is how long a silent peer is believed in. Gossip usually
	// knows later.
	idleTimeout = 5 * time.Second
	// nearTimeout is that of a relay, which is near: its siblings wait for it
	// meanwhile.
	nearTimeout = 1300 * time.Millisecond
	// nearKeepAlive is how long a relay may be silent until it is asked to say something:
	// longer than it is between watermarks and pongs.
	nearKeepAlive = 550 * time.Millisecond
	// maxControl bounds one control message, query or answer, in bytes: a
	// downstream names all its interests of a log in one, some seven million.
	maxControl = 64 << 20
	// maxPong bounds a pong, in bytes: with the ends of wire.MaxLogs logs.
	maxPong = 8 << 10
	// maxRecord bounds one record of a log's stream. The largest is a marker
	// with all interests of a control message.
	maxRecord = maxControl
	// maxSignals bounds the signals that wait for a busy link; the next ones
	// are dropped.
	maxSignals = 64
)

// quicConfig sets the windows: quic-go's defaults cap a link at some 5 MB/s
// over 150 ms of round trip. 32 MiB a stream and 64 MiB a link are 200 MB/s and
// 400 MB/s there. Our own bound is the feed's, which never has more than one
// batch in flight beyond them.
//
// The side that dials keeps the link alive, by pings, and by QUIC's own if there are
// no watermarks between them; keepAlive 0 = the other side does.
func quicConfig(timeout, keepAlive time.Duration) *quic.Config {
	return &quic.Config{
		HandshakeIdleTimeout:           5 * time.Second,
		MaxIdleTimeout:                 timeout, // the lesser of both sides' counts
		KeepAlivePeriod:                keepAlive,
		InitialStreamReceiveWindow:     2 << 20,
		MaxStreamReceiveWindow:         32 << 20,
		InitialConnectionReceiveWindow: 8 << 20,
		MaxConnectionReceiveWindow:     64 << 20,
		MaxIncomingStreams:             4096, // queries in flight
		MaxIncomingUniStreams:          1024, // logs
		EnableDatagrams:                true,
	}
}

// closeAfter closes conn, and tells the peer why unless it is in good order.
func closeAfter(conn *quic.Conn, cause error) error {
	if ended(cause) == nil {
		return conn.CloseWithError(codeDone, "")
	}
	return conn.CloseWithError(codeProtocol, clipReason(cause))
}

// clipReason fits an error into a connection's close reason.
func clipReason(err error) string {
	s := err.Error()
	return strings.ToValidUTF8(s[:min(len(s), 200)], "")
}

// ended is nil for the errors by which a link ends in good order.
func ended(err error) error {
	var app *quic.ApplicationError
	if errors.As(err, &app) && app.ErrorCode == codeDone || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// refused says in our words that the upstream closed the link on hello.
func refused(err error) error {
	var app *quic.ApplicationError
	if errors.As(err, &app) && app.Remote && app.ErrorCode == codeProtocol {
		return fmt.Errorf("%w: %s", ErrRefused, app.ErrorMessage)
	}
	var tr *quic.TransportError
	if errors.As(err, &tr) && tr.Remote && tr.ErrorCode.IsCryptoError() {
		// RFC 8446, section 6.2: the alerts about a certificate.
		if alert := tr.ErrorCode - 0x100; alert >= 42 && alert <= 49 || alert == 116 {
			return fmt.Errorf("%w: the upstream does not accept our certificate (%s): it must be signed by the upstream's CA", ErrRefused, tr.ErrorMessage)
		}
	}
	return err
}

// sendSignals sends what is queued until ctx ends or the connection fails.
// quic-go waits for room once its own queue is full: that is why signals don't
// go to it directly.
func sendSignals(ctx context.Context, conn *quic.Conn, queue <-chan []byte) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case b := <-queue:
			var tooLarge *quic.DatagramTooLargeError // for a path with a small MTU
			if err := conn.SendDatagram(b); err != nil && !errors.As(err, &tooLarge) {
				return err
			}
		}
	}
}

// appendSignal is a signal as it travels.
func appendSignal(s *wire.Signal) ([]byte, error) {
	b, err := wire.Msgpack.Append(nil, s)
	if err == nil && len(b) > wire.MaxSignal {
		err = fmt.Errorf("%w: a signal of %d bytes, at most %d are allowed", wire.ErrTooLarge, len(b), wire.MaxSignal)
	}
	return b, err
}

func withALPN(c *tls.Config) *tls.Config {
	c = c.Clone()
	c.NextProtos = []string{ALPN}
	return c
}
