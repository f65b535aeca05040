package load

import (
	"encoding/binary"
	"fmt"
)

// maxPayload is the longest payload that a client takes, in bytes: more than
// any answer of an edge.
const maxPayload = 1 << 20

// Operations of RFC 6455, section 5.2, with the bit of a whole message: no
// server of ours has a reason to send fragments.
const (
	wholeText   = 0x81
	wholeBinary = 0x82
	wholeClose  = 0x88
	wholePing   = 0x89
	wholePong   = 0x8a
)

// header is the start of a server's frame.
type header struct {
	op      byte // with the FIN and RSV bits
	size    int  // of the header itself
	payload int  // bytes that follow it
}

// parseHeader reads the header at the start of b. ok = false: it isn't whole yet.
func parseHeader(b []byte) (h header, ok bool, err error) {
	if len(b) < 2 {
		return h, false, nil
	}
	h = header{op: b[0], size: 2, payload: int(b[1])}
	switch b[1] {
	case 126:
		if h.size = 4; len(b) < 4 {
			return h, false, nil
		}
		h.payload = int(binary.BigEndian.Uint16(b[2:]))
	case 127:
		if h.size = 10; len(b) < 10 {
			return h, false, nil
		}
		n := binary.BigEndian.Uint64(b[2:])
		if n > maxPayload {
			return h, false, fmt.Errorf("a frame of %d bytes", n)
		}
		h.payload = int(n)
	default:
		if b[1] > 127 {
			return h, false, fmt.Errorf("a masked frame from a server")
		}
	}
	switch h.op {
	case wholeText, wholeBinary, wholeClose, wholePing, wholePong:
		return h, true, nil
	}
	return h, false, fmt.Errorf("a frame that begins with %#x", h.op)
}
