package websocket

import (
	"encoding/binary"
	"math"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// Parser turns a peer's bytes into messages. The zero value reads a client's
// frames, none compressed. It takes 56 bytes, and a buffer only while it waits
// for the rest of a frame or message; that buffer grows with the bytes that
// came, not with the length that was claimed. Not safe for concurrent use.
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

type flags uint16

const (
	fromServer flags = 1 << iota // frames must not be masked
	inMessage                    // a data message has begun
	isText                       // it is text
	inPayload                    // a frame's header is complete, its payload isn't
	isControl                    // that frame is a control frame (its head[0] tells which)
	isFinal                      // that frame ends its message
	closed                       // a close frame came: the rest is ignored
	spent                        // an error came
	mayDeflate                   // messages may be compressed
	isDeflated                   // the data message is
)

// FromServer is a Parser for the frames of a server, which are not masked.
func FromServer() Parser { return Parser{flags: fromServer} }

// FromClient is a Parser for the frames of a client, which may compress its
// messages or not, as was agreed.
func FromClient(deflate bool) Parser {
	if deflate {
		return Parser{}.Inflating()
	}
	return Parser{}
}

// Inflating is p for a connection whose messages may be compressed: as fresh as
// p, and no larger.
func (p Parser) Inflating() Parser {
	p.flags |= mayDeflate
	return p
}

// sink is who gets messages, and how large they may be.
type sink struct {
	limit int
	fn    func(op Op, payload []byte) error
}

// Feed parses b, the bytes that follow those of the last call, and calls fn
// for each whole message, fragments joined and inflated, and each control
// frame, in the order in which they became complete. Text and close reasons are
// UTF-8, close codes valid. b may be overwritten; payload is valid during the
// call only.
//
// It fails with an *Error if the peer breaks the protocol or a message exceeds
// limit bytes (as soon as its header says so, or when so much was inflated; at
// most 2 GiB), and with fn's error. What is wrong with text is found when it
// arrives, in compressed text when its message is complete. The Parser is of no
// use then. What follows a close frame is ignored.
func (p *Parser) Feed(b []byte, limit int, fn func(op Op, payload []byte) error) error {
	err := p.feed(b, sink{min(limit, math.MaxInt32), fn})
	if err != nil {
		p.flags |= spent
		p.buf = nil
	}
	return err
}

func (p *Parser) feed(b []byte, to sink) error {
	if p.flags&spent != 0 {
		return ErrSpent
	}
	for len(b) > 0 && p.flags&closed == 0 {
		if p.flags&inPayload != 0 {
			n := min(len(b), int(p.left))
			if err := p.more(b[:n], to); err != nil {
				return err
			}
			b = b[n:]
			continue
		}
		h, n, err := p.header(b, to.limit)
		if err != nil {
			return err
		}
		b = b[n:]
		if p.headN > 0 { // still incomplete
			return nil
		}
		if uint64(len(b)) >= h.n && h.fin && (h.op.control() || p.flags&inMessage == 0) {
			// The usual case: a whole frame, unmasked where it lies.
			if err := p.whole(h, b[:h.n], to); err != nil {
				return err
			}
			b = b[h.n:]
			continue
		}
		if err := p.begin(h, to); err != nil {
			return err
		}
	}
	return nil
}

// whole delivers a frame that is a message by itself.
func (p *Parser) whole(h header, payload []byte, to sink) error {
	p.unmask(payload, h.mask)
	if h.deflated {
		return p.inflate(h.op, payload, to)
	}
	return p.deliver(h.op, payload, to.fn)
}

// begin notes a frame whose payload is collected.
func (p *Parser) begin(h header, to sink) error {
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
		p.flags = p.flags&^(isText|isDeflated) | inMessage
		if h.op == OpText {
			p.flags |= isText
		}
		if h.deflated {
			p.flags |= isDeflated
		}
	}
	p.mask, p.left = h.mask, uint32(h.n)
	if p.left == 0 {
		return p.ended(to)
	}
	return nil
}

// more collects b, at most what the frame lacks.
func (p *Parser) more(b []byte, to sink) error {
	p.unmask(b, p.mask)
	p.buf = append(p.buf, b...)
	if p.flags&(isControl|isText|isDeflated) == isText && !validSince(p.buf, len(p.buf)-len(b)) {
		return ErrUTF8
	}
	p.left -= uint32(len(b))
	if p.left == 0 {
		return p.ended(to)
	}
	k := len(b) % 4
	m := p.mask
	for i := range m {
		p.mask[i] = m[(i+k)%4]
	}
	return nil
}

// ended delivers what the end of a frame completes, and lets go of the buffer.
func (p *Parser) ended(to sink) error {
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
		if p.flags&isDeflated != 0 {
			return p.inflate(op, payload, to)
		}
	}
	return p.deliver(op, payload, to.fn)
}

// inflate delivers a compressed message.
func (p *Parser) inflate(op Op, payload []byte, to sink) error {
	i := inflaters.Get().(*inflater)
	defer i.put()
	var err error
	if i.out, err = i.append(i.out[:0], payload, to.limit); err != nil {
		return err
	}
	return p.deliver(op, i.out, to.fn)
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

// validSince says whether b can be the beginning of UTF-8, of which all before
// from is known to be. What a last, unfinished character lacks may still come.
func validSince(b []byte, from int) bool {
	return utf8.Valid(b[finished(b[:from]):finished(b)])
}

// finished is the length of b without a last character that lacks bytes.
func finished(b []byte) int {
	for i := len(b) - 1; i >= max(0, len(b)-utf8.UTFMax+1); i-- {
		if utf8.RuneStart(b[i]) {
			if !utf8.FullRune(b[i:]) {
				return i
			}
			break
		}
	}
	return len(b)
}
