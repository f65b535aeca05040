package websocket

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"selvedge/wire"
)

// Op is what a frame is (RFC 6455, section 5.2).
type Op uint8

// The operations.
const (
	opContinuation Op = 0x0

	OpText   Op = 0x1
	OpBinary Op = 0x2
	OpClose  Op = 0x8
	OpPing   Op = 0x9
	OpPong   Op = 0xA
)

const (
	// MaxHeader is the longest header of a frame from a server, in bytes.
	MaxHeader = 10
	// MaxControl is the largest payload of a control frame, in bytes.
	MaxControl = 125

	maxHeader = MaxHeader + 4 // of a frame from a client, with its mask
	finBit    = 0x80
	rsvBits   = 0x70
	rsv1Bit   = 0x40 // the message is compressed (RFC 7692, section 6)
	maskBit   = 0x80
	length16  = 126 // the length follows in 2 bytes
	length64  = 127 // the length follows in 8 bytes
)

// control says whether frames of op are control frames.
func (op Op) control() bool { return op&0x8 != 0 }

// known says whether the RFC defines op.
func (op Op) known() bool { return op <= OpBinary || op >= OpClose && op <= OpPong }

// AppendHeader appends the header of an unmasked frame, a whole message, with
// a payload of n bytes.
func AppendHeader(dst []byte, op Op, n int) []byte { return appendHeader(dst, byte(op), n, 0) }

func appendHeader(dst []byte, op byte, n int, mask byte) []byte {
	dst = append(dst, finBit|op)
	switch {
	case n < length16:
		return append(dst, mask|byte(n))
	case n <= 0xFFFF:
		return binary.BigEndian.AppendUint16(append(dst, mask|length16), uint16(n))
	default:
		return binary.BigEndian.AppendUint64(append(dst, mask|length64), uint64(n))
	}
}

// PutHeader makes a whole message of a payload that stands in b behind MaxHeader
// bytes of room: the header goes right in front of it, and the message is the
// rest of b from there.
func PutHeader(b []byte, op Op) []byte {
	var space [MaxHeader]byte
	header := AppendHeader(space[:0], op, len(b)-MaxHeader)
	b = b[MaxHeader-len(header):]
	copy(b, header)
	return b
}

// AppendMasked appends a whole frame as a client sends it. Against hostile
// proxies, mask must be unpredictable (RFC 6455, section 10.3).
func AppendMasked(dst []byte, op Op, payload []byte, mask [4]byte) []byte {
	dst = append(appendHeader(dst, byte(op), len(payload), maskBit), mask[:]...)
	n := len(dst)
	dst = append(dst, payload...)
	ws.Cipher(dst[n:], mask, 0)
	return dst
}

// AppendClose appends the payload of a close frame. A reason that is too long
// is cut, between characters; what isn't UTF-8 in it becomes "?".
func AppendClose(dst []byte, code wire.CloseCode, reason string) []byte {
	reason = strings.ToValidUTF8(reason, "?")
	if most := MaxControl - 2; len(reason) > most {
		for !utf8.RuneStart(reason[most]) {
			most--
		}
		reason = reason[:most]
	}
	return append(binary.BigEndian.AppendUint16(dst, uint16(code)), reason...)
}

// Close is the close frame of a server.
func Close(code wire.CloseCode, reason string) []byte {
	payload := AppendClose(make([]byte, 0, MaxControl), code, reason)
	return append(AppendHeader(make([]byte, 0, 2+len(payload)), OpClose, len(payload)), payload...)
}

// Ping is a server's ping; it panics if payload exceeds MaxControl.
func Ping(payload []byte) []byte { return control(OpPing, payload) }

// Pong is a server's answer to a ping with this payload; it panics if payload
// exceeds MaxControl, which no Parser lets through.
func Pong(payload []byte) []byte { return control(OpPong, payload) }

func control(op Op, payload []byte) []byte {
	if len(payload) > MaxControl {
		panic("websocket: control frame over 125 bytes")
	}
	return append(AppendHeader(make([]byte, 0, 2+len(payload)), op, len(payload)), payload...)
}

// NoStatus is what ParseClose returns for a close frame without a code
// (RFC 6455, section 7.1.5). It is never sent.
const NoStatus wire.CloseCode = 1005

// ParseClose splits the payload of a close frame that a Parser let through.
func ParseClose(payload []byte) (wire.CloseCode, string) {
	if len(payload) < 2 {
		return NoStatus, ""
	}
	return wire.CloseCode(binary.BigEndian.Uint16(payload)), string(payload[2:])
}
