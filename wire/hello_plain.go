package wire

import (
	"encoding/binary"
	"unicode/utf8"
)

// What nearly all documents and positions look like, read without the
// generality of scanHead: an edge reads some thousand values for each batch of
// hellos. Whatever looks otherwise is left to the general readers, which also
// say what is wrong.

// plainUint reads an unsigned number of any size; its length is 0 if b does not
// begin with one.
func plainUint(b []byte) (u uint64, n int) {
	if len(b) == 0 {
		return 0, 0
	}
	switch c := b[0]; {
	case c <= 0x7f:
		return uint64(c), 1
	case c == 0xcc && len(b) >= 2:
		return uint64(b[1]), 2
	case c == 0xcd && len(b) >= 3:
		return uint64(binary.BigEndian.Uint16(b[1:])), 3
	case c == 0xce && len(b) >= 5:
		return uint64(binary.BigEndian.Uint32(b[1:])), 5
	case c == 0xcf && len(b) >= 9:
		return binary.BigEndian.Uint64(b[1:]), 9
	}
	return 0, 0
}

// plainString is the length of the string that b begins with, head included, if
// it is UTF-8 of less than 256 bytes; else 0.
func plainString(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	start, end := 1, 1
	switch c := b[0]; {
	case c >= 0xa0 && c <= 0xbf:
		end += int(c & 0x1f)
	case c == 0xd9:
		start, end = 2, 2+int(b[1])
	default:
		return 0
	}
	if end > len(b) || !utf8.Valid(b[start:end]) {
		return 0
	}
	return end
}

// plainMap is the length of the map that b begins with if it passes Check, is
// small, holds nothing but strings, unsigned numbers, bools, nils and such maps,
// and these at most deep times in one another; else 0.
func plainMap(b []byte, deep int) int {
	if len(b) == 0 || b[0]&0xf0 != 0x80 || deep == 0 {
		return 0
	}
	at := 1
	for range b[0] & 0x0f {
		n := plainString(b[at:])
		if n == 0 {
			return 0
		}
		if at += n; at == len(b) {
			return 0
		}
		switch c := b[at]; {
		case c >= 0x80 && c <= 0x8f:
			n = plainMap(b[at:], deep-1)
		case c == 0xc0 || c == 0xc2 || c == 0xc3:
			n = 1
		case c >= 0xa0 && c <= 0xbf || c == 0xd9:
			n = plainString(b[at:])
		default:
			_, n = plainUint(b[at:])
		}
		if n == 0 {
			return 0
		}
		at += n
	}
	return at
}
