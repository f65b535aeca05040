package fanout

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"selvedge/edge/websocket"
	"selvedge/internal/identity"
	"selvedge/wire"
)

// errClosed: an edge closed a socket.
var errClosed = errors.New("the edge closed the socket")

// socketMessage takes the next frame of an edge (RFC 6455, section 5.2): payload =
// nil for what is no message. Edges don't fragment.
func socketMessage(b []byte) (payload, reply []byte, used int, err error) {
	if len(b) < 2 {
		return nil, nil, 0, nil
	}
	head, size := 2, int(b[1])
	switch {
	case b[1] == 126 && len(b) >= 4:
		head, size = 4, int(binary.BigEndian.Uint16(b[2:]))
	case b[1] == 126 || b[1] == 127 && len(b) < 10:
		return nil, nil, 0, nil
	case b[1] == 127:
		n := binary.BigEndian.Uint64(b[2:])
		if n > maxBulk {
			return nil, nil, 0, fmt.Errorf("a frame of %d bytes", n)
		}
		head, size = 10, int(n)
	case b[1] > 127:
		return nil, nil, 0, errors.New("a masked frame from a server")
	}
	if len(b) < head+size {
		return nil, nil, 0, nil
	}
	payload, used = b[head:head+size], head+size
	switch op := websocket.Op(b[0] & 0x0f); {
	case b[0]&0xf0 != 0x80:
		return nil, nil, 0, fmt.Errorf("a frame that begins with %#x", b[0])
	case op == websocket.OpBinary:
		return payload, nil, used, nil
	case op == websocket.OpPing:
		return nil, websocket.AppendMasked(nil, websocket.OpPong, payload, [4]byte{1, 2, 3, 4}), used, nil
	case op == websocket.OpClose:
		code, reason := websocket.ParseClose(payload)
		return nil, nil, 0, fmt.Errorf("%w: %d %s", errClosed, code, reason)
	}
	return nil, nil, used, nil
}

// upgrade is the request of a socket.
func upgrade(host string) []byte {
	return fmt.Appendf(nil, "GET /v1/socket HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: c2VsdmVkZ2UtZmFub3V0IQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: %s\r\n\r\n", host, wire.Msgpack.Subprotocol())
}

// upgraded takes the answer to it; used = 0: it is not whole yet.
func upgraded(b []byte) (used int, err error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return 0, nil
	}
	if !bytes.HasPrefix(b, []byte("HTTP/1.1 101 ")) {
		line, _, _ := bytes.Cut(b, []byte("\r\n"))
		return 0, fmt.Errorf("the upgrade was refused: %s", line)
	}
	return end + 4, nil
}

// hello is the first frame of a user who subscribes a topic.
func hello(user string, topic wire.Channel) ([]byte, error) {
	now := time.Now()
	token, err := identity.Sign([]byte(identity.DevTokenSecret),
		identity.Claims{User: user, Subscribe: []string{string(topic)}, Expires: now.Add(12 * time.Hour)}, now)
	if err != nil {
		return nil, err
	}
	payload, err := wire.Msgpack.Append(nil, wire.ClientMessage{T: wire.THello, Token: token, Topics: []wire.Channel{topic}})
	if err != nil {
		return nil, err
	}
	return websocket.AppendMasked(nil, websocket.OpBinary, payload, [4]byte{1, 2, 3, 4}), nil
}

// isWelcome reports whether a message is an edge's welcome.
func isWelcome(payload []byte) (bool, error) {
	var m struct {
		T       string `json:"t"`
		Message string `json:"message"`
	}
	if err := wire.Msgpack.Decode(payload, &m); err != nil {
		return false, err
	}
	if m.T == wire.TError {
		return false, fmt.Errorf("the edge says: %s", m.Message)
	}
	return m.T == wire.TWelcome, nil
}
