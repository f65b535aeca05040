package websocket

import (
	"encoding/binary"
	"math"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// Parser turns a peer's bytes into messages. The zero value reads a client's
// frames. It takes 56 bytes, and a buffer only while it waits for the rest of a
// frame or message; that buffer grows with the bytes that came, not with the
// length that was claimed. Not safe for concurrent use.
type Parser struct {
	// buf holds the unmasked payload of the unfinished data message, followed
	// by that of the unfinished control frame if ctl. nil when neither is.
	buf []byte

	head  [maxHeader]byte // the unfinished header
	headN uint8           // its bytes so far
	flags flags

	mask    [4]byte // of the unfinished payload, turned to its next byte
	left    uint32  // bytes missing of the unfinished payload
	ctlFrom uint32  // where the control frame's payload begins in buf
}

type flags uint8

const (
	fromServer flags = 1 << iota // frames must not be masked
	inMessage                    // a data message has begun
	isText                       // it is text
	inPayload                    // a frame's header is complete, its payload isn't
	isControl                    // that frame is a control frame (its head[0] tells which)
	isFinal                      // that frame ends its message
	closed                       // a close frame came: the rest is ignored
	spent                        // an error came
)

// FromServer is a Parser for the frames of a server, which are not masked.
func FromServer() Parser { return Parser{flags: fromServer} }

// header is one frame's.
type header struct {
	op   Op
	fin  bool
	n    uint64 // of the payload
	mask [4]byte
}

// Feed parses b, the bytes that follow those of the last call, and calls fn
// for each whole message, fragments joined, and each control frame, in the
// order in which they became complete. Text and close reasons are UTF-8, close
// codes valid. b may be overwritten; payload is valid during the call only.
//
// It fails with an *Error if the peer breaks the protocol or a message exceeds
// limit bytes (as soon as its header says so; at most 2 GiB), and with fn's error. The Parser
// is of no use then. What follows a close frame is ignored.
func (p *Parser) Feed(b []byte, limit int, fn func(op Op, payload []byte) error) error {
	err := p.feed(b, min(limit, math.MaxInt32), fn)
	if err != nil {
		p.flags |= spent
		p.buf = nil
	}
	return err
}

func (p *Parser) feed(b []byte, limit int, fn func(Op, []byte) error) error {
	if p.flags&spent != 0 {
		return ErrSpent
	}
	for len(b) > 0 && p.flags&closed == 0 {
		if p.flags&inPayload != 0 {
			n := min(len(b), int(p.left))
			if err := p.more(b[:n], fn); err != nil {
				return err
			}
			b = b[n:]
			continue
		}
		h, n, err := p.header(b, limit)
		if err != nil {
			return err
		}
		b = b[n:]
		if p.headN > 0 { // still incomplete
			return nil
		}
		if uint64(len(b)) >= h.n && h.fin && (h.op.control() || p.flags&inMessage == 0) {
			// The usual case: a whole frame, unmasked where it lies.
			if err := p.whole(h, b[:h.n], fn); err != nil {
				return err
			}
			b = b[h.n:]
			continue
		}
		if err := p.begin(h, fn); err != nil {
			return err
		}
	}
	return nil
}

// header reads a header out of what is kept of it and b, of which it takes n
// bytes. If p.headN > 0 afterwards, it isn't complete yet.
func (p *Parser) header(b []byte, limit int) (h header, n int, err error) {
	src := b
	if p.headN > 0 {
		n = copy(p.head[p.headN:], b)
		src = p.head[:int(p.headN)+n]
	}
	h, size, err := p.parse(src, limit)
	if err != nil {
		return h, 0, err
	}
	if size == 0 { // src, up to a whole header, is kept
		if p.headN == 0 {
			n = copy(p.head[:], b)
		}
		p.headN += uint8(n)
		return h, n, nil
	}
	n = size - int(p.headN)
	p.headN = 0
	return h, n, nil
}

// parse reads a header at the start of src; size 0 = incomplete. It checks
// each part as soon as it is there.
func (p *Parser) parse(src []byte, limit int) (h header, size int, err error) {
	if len(src) < 2 {
		return h, 0, nil
	}
	h.op, h.fin = Op(src[0]&0xF), src[0]&finBit != 0
	short := src[1] &^ maskBit
	if err := p.allowed(src[0], src[1], h, short); err != nil {
		return h, 0, err
	}
	size = 2
	switch h.n = uint64(short); short {
	case length16:
		if size += 2; len(src) < size {
			return h, 0, nil
		}
		if h.n = uint64(binary.BigEndian.Uint16(src[2:])); h.n < length16 {
			return h, 0, ErrLength
		}
	case length64:
		if size += 8; len(src) < size {
			return h, 0, nil
		}
		if h.n = binary.BigEndian.Uint64(src[2:]); h.n <= 0xFFFF || h.n>>63 != 0 {
			return h, 0, ErrLength
		}
	}
	if !h.op.control() {
		if room := limit - len(p.buf); room < 0 || h.n > uint64(room) {
			return h, 0, ErrTooLarge
		}
	}
	if p.flags&fromServer == 0 {
		if size += 4; len(src) < size {
			return h, 0, nil
		}
		h.mask = [4]byte(src[size-4:])
	}
	return h, size, nil
}

// allowed checks the first two bytes of a header.
func (p *Parser) allowed(first, second byte, h header, short byte) error {
	masked := second&maskBit != 0
	switch {
	case first&rsvBits != 0:
		return ErrReserved
	case !h.op.known():
		return ErrOpcode
	case !masked && p.flags&fromServer == 0:
		return ErrUnmasked
	case masked && p.flags&fromServer != 0:
		return ErrMasked
	case h.op.control() && (!h.fin || short > MaxControl):
		return ErrControl
	case h.op == opContinuation && p.flags&inMessage == 0:
		return ErrContinuation
	case (h.op == OpText || h.op == OpBinary) && p.flags&inMessage != 0:
		return ErrInterleaved
	}
	return nil
}

// whole delivers a frame that is a message by itself.
func (p *Parser) whole(h header, payload []byte, fn func(Op, []byte) error) error {
	p.unmask(payload, h.mask)
	return p.deliver(h.op, payload, fn)
}

// begin notes a frame whose payload is collected.
func (p *Parser) begin(h header, fn func(Op, []byte) error) error {
	p.flags = p.flags&^(isControl|isFinal) | inPayload
	if h.fin {
		p.flags |= isFinal
	}
	switch {
	case h.op.control():
		p.flags |= isControl
		p.head[0] = byte(h.op) // free while a payload is collected
		p.ctlFrom = uint32(len(p.buf))
	case h.op != opContinuation:
		p.flags |= inMessage
		if p.flags &^= isText; h.op == OpText {
			p.flags |= isText
		}
	}
	p.mask, p.left = h.mask, uint32(h.n)
	if p.left == 0 {
		return p.ended(fn)
	}
	return nil
}

// more collects b, at most what the frame lacks.
func (p *Parser) more(b []byte, fn func(Op, []byte) error) error {
	p.unmask(b, p.mask)
	p.buf = append(p.buf, b...)
	p.left -= uint32(len(b))
	if p.left == 0 {
		return p.ended(fn)
	}
	k := len(b) % 4
	m := p.mask
	for i := range m {
		p.mask[i] = m[(i+k)%4]
	}
	return nil
}

// ended delivers what the end of a frame completes, and lets go of the buffer.
func (p *Parser) ended(fn func(Op, []byte) error) error {
	p.flags &^= inPayload
	op, payload := OpBinary, p.buf
	switch {
	case p.flags&isControl != 0:
		op, payload = Op(p.head[0]), p.buf[p.ctlFrom:]
		if p.buf = p.buf[:p.ctlFrom]; p.ctlFrom == 0 {
			p.buf = nil
		}
	case p.flags&isFinal == 0:
		return nil
	default:
		if p.flags&isText != 0 {
			op = OpText
		}
		p.buf = nil
		p.flags &^= inMessage
	}
	return p.deliver(op, payload, fn)
}

// deliver checks the payload and calls back.
func (p *Parser) deliver(op Op, payload []byte, fn func(Op, []byte) error) error {
	switch op {
	case OpText:
		if !utf8.Valid(payload) {
			return ErrUTF8
		}
	case OpClose:
		if err := checkClose(payload); err != nil {
			return err
		}
		p.flags |= closed
		p.buf = nil
	default: // anything goes
	}
	return fn(op, payload)
}

// checkClose checks a close frame's payload (RFC 6455, section 7.4, and the
// codes registered since).
func checkClose(payload []byte) error {
	if len(payload) == 0 {
		return nil
	}
	if len(payload) == 1 {
		return ErrCloseCode
	}
	switch code := binary.BigEndian.Uint16(payload); {
	case code >= 1000 && code <= 1003, code >= 1007 && code <= 1014, code >= 3000 && code <= 4999:
	default:
		return ErrCloseCode
	}
	if !utf8.Valid(payload[2:]) {
		return ErrUTF8
	}
	return nil
}

func (p *Parser) unmask(b []byte, mask [4]byte) {
	if p.flags&fromServer == 0 {
		ws.Cipher(b, mask, 0)
	}
}
