package screen

import (
	"bytes"
	"unicode/utf8"
)

// Key is a key: a letter or sign as it is typed, or one of those below.
type Key string

// Keys without a letter.
const (
	Up       Key = "up"
	Down     Key = "down"
	Left     Key = "left"
	Right    Key = "right"
	PageUp   Key = "page up"
	PageDown Key = "page down"
	Home     Key = "home"
	End      Key = "end"
	Escape   Key = "escape"
	CtrlC    Key = "ctrl+c"
	Other    Key = "" // one that has no name here
)

const escape = 0x1b

// sequences are what terminals send behind ESC [ or ESC O (ECMA-48, and xterm's
// and the Linux console's numbers).
var sequences = map[string]Key{
	"A": Up, "B": Down, "C": Right, "D": Left, "H": Home, "F": End,
	"1~": Home, "4~": End, "5~": PageUp, "6~": PageDown, "7~": Home, "8~": End,
}

// next reads the first key of b, which has size bytes; 0 = its end is still to
// come. An escape at the end of b is the key: terminals send sequences whole.
func next(b []byte) (k Key, size int) {
	switch {
	case len(b) == 0:
		return Other, 0
	case b[0] == escape && len(b) == 1:
		return Escape, 1
	case b[0] == escape && (b[1] == '[' || b[1] == 'O'):
		return sequence(b)
	case b[0] == escape: // with Alt
		return Other, 2
	case b[0] == 3:
		return CtrlC, 1
	case b[0] < ' ' || b[0] == 0x7f:
		return Other, 1
	case !utf8.FullRune(b):
		return Other, 0
	}
	r, size := utf8.DecodeRune(b)
	if r == utf8.RuneError {
		return Other, size
	}
	return Key(b[:size]), size
}

// longest bounds a sequence: what is longer is none.
const longest = 16

// sequence is next for what follows ESC [ or ESC O: numbers, and a last byte
// from @ on.
func sequence(b []byte) (Key, int) {
	end := bytes.IndexFunc(b[2:], func(r rune) bool { return r >= '@' })
	switch {
	case end >= longest || end < 0 && len(b) > longest:
		return Other, 2
	case end < 0:
		return Other, 0
	}
	_, size := utf8.DecodeRune(b[2+end:])
	return sequences[string(b[2:2+end+size])], 2 + end + size
}
