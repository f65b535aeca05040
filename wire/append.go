package wire

import "encoding/binary"

// The few msgpack writers that the hot path needs: appending to a caller's
// buffer, without reflection. Everything else goes through the library.

func appendUint64(dst []byte, u uint64) []byte { return binary.BigEndian.AppendUint64(dst, u) }

// appendUint appends u in its shortest form.
func appendUint(dst []byte, u uint64) []byte {
	switch {
	case u < 1<<7:
		return append(dst, byte(u))
	case u < 1<<8:
		return append(dst, 0xcc, byte(u))
	case u < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, 0xcd), uint16(u))
	case u < 1<<32:
		return binary.BigEndian.AppendUint32(append(dst, 0xce), uint32(u))
	}
	return appendUint64(append(dst, 0xcf), u)
}

// appendInt appends a negative i in its shortest form.
func appendInt(dst []byte, i int64) []byte {
	switch {
	case i >= -1<<5:
		return append(dst, byte(i))
	case i >= -1<<7:
		return append(dst, 0xd0, byte(i))
	case i >= -1<<15:
		return binary.BigEndian.AppendUint16(append(dst, 0xd1), uint16(i))
	case i >= -1<<31:
		return binary.BigEndian.AppendUint32(append(dst, 0xd2), uint32(i))
	}
	return appendUint64(append(dst, 0xd3), uint64(i))
}

func appendString(dst []byte, s string) []byte {
	switch n := len(s); {
	case n < 1<<5:
		dst = append(dst, 0xa0|byte(n))
	case n < 1<<8:
		dst = append(dst, 0xd9, byte(n))
	case n < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, 0xda), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint32(append(dst, 0xdb), uint32(n))
	}
	return append(dst, s...)
}

// appendHead appends the head of an array (fix 0x90, wide 0xdc) or map (0x80, 0xde).
func appendHead(dst []byte, fix, wide byte, n int) []byte {
	switch {
	case n < 1<<4:
		return append(dst, fix|byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, wide), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, wide+1), uint32(n))
}
