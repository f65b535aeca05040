package websocket

import "encoding/binary"

// header is one frame's.
type header struct {
	op       Op
	fin      bool
	deflated bool   // begins a compressed message (RFC 7692, section 6)
	n        uint64 // of the payload
	mask     [4]byte
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
	h.op, h.fin, h.deflated = Op(src[0]&0xF), src[0]&finBit != 0, src[0]&rsv1Bit != 0
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
		if h.deflated || p.flags&(inMessage|isDeflated) == inMessage|isDeflated {
			limit = mostDeflated(limit)
		}
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
	case first&rsvBits != 0 && !p.inflates(first):
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

// inflates says whether a frame's first byte may have the reserved bits that it
// has: only the first, only where it was agreed on, and only at the beginning
// of a message (RFC 7692, section 6).
func (p *Parser) inflates(first byte) bool {
	op := Op(first & 0xF)
	return p.flags&mayDeflate != 0 && first&rsvBits == rsv1Bit && (op == OpText || op == OpBinary)
}
