package link

import (
	"crypto/tls"
	"errors"
	"time"

	"github.com/quic-go/quic-go"
)

// ALPN is the protocol that both ends name in TLS.
const ALPN = "selvedge/1"

// version is the link protocol's own, said in hello.
const version = 1

// Errors of links.
var (
	// ErrRefused: the upstream answered hello with an error, which follows.
	ErrRefused = errors.New("link refused")
	// ErrProtocol: the peer sent what this version doesn't know.
	ErrProtocol = errors.New("link protocol error")
)

// Application error codes of a closed connection.
const (
	codeDone     quic.ApplicationErrorCode = 0
	codeProtocol quic.ApplicationErrorCode = 1
)

const (
	// pingEvery paces the pings that measure round trip and clock offset, and
	// keep the connection alive.
	pingEvery = time.Second
	// idleTimeout is how long a silent peer is believed in. Gossip usually
	// knows later.
	idleTimeout = 5 * time.Second
	// maxControl bounds one control message or query, in bytes: a downstream
	// names all its interests of a log in one.
	maxControl = 16 << 20
	// maxRecord bounds one record of a log's stream.
	maxRecord = 2 << 20
)

// quicConfig sets the windows: quic-go's defaults cap a link at some 5 MB/s
// over 150 ms of round trip. 32 MiB a stream and 64 MiB a link are 200 MB/s and
// 400 MB/s there. Our own bound is the feed's, which never has more than one
// batch in flight beyond them.
func quicConfig() *quic.Config {
	return &quic.Config{
		HandshakeIdleTimeout:           5 * time.Second,
		MaxIdleTimeout:                 idleTimeout,
		KeepAlivePeriod:                pingEvery,
		InitialStreamReceiveWindow:     2 << 20,
		MaxStreamReceiveWindow:         32 << 20,
		InitialConnectionReceiveWindow: 8 << 20,
		MaxConnectionReceiveWindow:     64 << 20,
		MaxIncomingStreams:             4096, // queries in flight
		MaxIncomingUniStreams:          1024, // logs
		EnableDatagrams:                true,
	}
}

func withALPN(c *tls.Config) *tls.Config {
	c = c.Clone()
	c.NextProtos = []string{ALPN}
	return c
}
