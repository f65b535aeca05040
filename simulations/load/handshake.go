package load

import (
	"bytes"
	"fmt"

	"selvedge/wire"
)

// The request of every socket has the same key, so that the floor's answer can
// be canned; servers compute theirs anew for each.
const (
	key       = "c2VsdmVkZ2UtYmVuY2gtMQ=="
	keyAnswer = "MtQesEJRRgTtGATyYjkFeMs+2Qg="
)

// request is the request of a socket at host.
func request(host string) []byte {
	return fmt.Appendf(nil, "GET /v1/socket HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: %s\r\n\r\n", host, key, wire.Msgpack.Subprotocol())
}

// answer is the floor's answer, the same bytes as an edge's.
func answer() []byte {
	return fmt.Appendf(nil, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: %s\r\n\r\n", keyAnswer, wire.Msgpack.Subprotocol())
}

// checkAnswer reports why an answer is not the upgrade that was asked for.
func checkAnswer(b []byte) error {
	line, _, _ := bytes.Cut(b, []byte("\r\n"))
	if !bytes.HasPrefix(b, []byte("HTTP/1.1 101 ")) {
		return fmt.Errorf("%w: %s", errRefused, line)
	}
	if !bytes.Contains(b, []byte(keyAnswer)) || !bytes.Contains(b, []byte(wire.Msgpack.Subprotocol())) {
		return fmt.Errorf("%w: the answer has another key or subprotocol", errRefused)
	}
	return nil
}
