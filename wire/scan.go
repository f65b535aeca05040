package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// ErrMalformed: bytes are no value that this protocol allows. The text says
// where and why.
var ErrMalformed = errors.New("malformed msgpack")

// kind is what a msgpack value is, as far as JSON can say it.
type kind uint8

const (
	kindNil kind = iota
	kindFalse
	kindTrue
	kindInt  // head.i
	kindUint // head.u, above MaxInt64 or encoded unsigned
	kindFloat
	kindString // n bytes follow
	kindArray  // n values follow
	kindMap    // n pairs follow
	kindOther  // bin and ext: not expressible in JSON
)

// head is the first part of a value: its kind, its scalar or its length.
type head struct {
	kind kind
	size int // bytes of the head itself
	n    int // string bytes, array values or map pairs
	i    int64
	u    uint64
	f    float64
}

// scanHead reads the head of the value at the start of b. It allocates nothing
// and believes no claimed length: n is only what the bytes say.
// Source: the msgpack specification, github.com/msgpack/msgpack/blob/master/spec.md.
func scanHead(b []byte) (head, error) {
	if len(b) == 0 {
		return head{}, fmt.Errorf("%w: it ends early", ErrMalformed)
	}
	c := b[0]
	switch {
	case c <= 0x7f:
		return head{kind: kindUint, size: 1, u: uint64(c)}, nil
	case c <= 0x8f:
		return head{kind: kindMap, size: 1, n: int(c & 0x0f)}, nil
	case c <= 0x9f:
		return head{kind: kindArray, size: 1, n: int(c & 0x0f)}, nil
	case c <= 0xbf:
		return head{kind: kindString, size: 1, n: int(c & 0x1f)}, nil
	case c >= 0xe0:
		return head{kind: kindInt, size: 1, i: int64(int8(c))}, nil
	case c == 0xc0:
		return head{kind: kindNil, size: 1}, nil
	case c == 0xc2:
		return head{kind: kindFalse, size: 1}, nil
	case c == 0xc3:
		return head{kind: kindTrue, size: 1}, nil
	case c == 0xc1:
		return head{}, fmt.Errorf("%w: byte 0xc1 is never used", ErrMalformed)
	}
	return scanWide(c, b[1:])
}

// wideFirst is the first byte of the values whose head is a byte and a number.
const wideFirst = 0xc4

// wideKinds maps wideFirst..0xdf to kind and width of the number that follows.
var wideKinds = [...]struct {
	kind  kind
	width int
}{
	{kindOther, 1},
	{kindOther, 2},
	{kindOther, 4}, // bin
	{kindOther, 1},
	{kindOther, 2},
	{kindOther, 4}, // ext
	{kindFloat, 4},
	{kindFloat, 8},
	{kindUint, 1},
	{kindUint, 2},
	{kindUint, 4},
	{kindUint, 8},
	{kindInt, 1},
	{kindInt, 2},
	{kindInt, 4},
	{kindInt, 8},
	{kindOther, 0},
	{kindOther, 0},
	{kindOther, 0},
	{kindOther, 0},
	{kindOther, 0}, // fixext
	{kindString, 1},
	{kindString, 2},
	{kindString, 4},
	{kindArray, 2},
	{kindArray, 4},
	{kindMap, 2},
	{kindMap, 4},
}

func scanWide(c byte, rest []byte) (head, error) {
	w := wideKinds[c-wideFirst]
	if w.kind == kindOther {
		return head{}, fmt.Errorf("%w: binary and extension values have no JSON form: send a string", ErrMalformed)
	}
	if len(rest) < w.width {
		return head{}, fmt.Errorf("%w: it ends early", ErrMalformed)
	}
	var u uint64
	for _, x := range rest[:w.width] {
		u = u<<8 | uint64(x)
	}
	h := head{kind: w.kind, size: 1 + w.width}
	switch w.kind {
	case kindUint:
		h.u = u
	case kindInt:
		shift := 64 - 8*w.width
		h.i = int64(u<<shift) >> shift
	case kindFloat:
		if w.width == 4 {
			h.f = float64(math.Float32frombits(binary.BigEndian.Uint32(rest)))
		} else {
			h.f = math.Float64frombits(u)
		}
	default:
		if u > math.MaxInt32 {
			return head{}, fmt.Errorf("%w: a length of %d", ErrMalformed, u)
		}
		h.n = int(u)
	}
	return h, nil
}

// envelope is how many levels of message may lie around data.
const envelope = 8

// Check reports why b is not exactly one msgpack value that has a JSON form:
// nil, bool, finite number, UTF-8 string, array, or map with string keys,
// nested at most MaxDepth deep (and a little more, for the message around it:
// Post.Check is exact). No length is believed that the bytes at hand
// could not hold, so decoding checked bytes allocates in proportion to len(b).
// It allocates nothing unless it fails.
func Check(b []byte) error {
	n, err := skip(b, 0)
	if err != nil {
		return err
	}
	if n != len(b) {
		return fmt.Errorf("%w: %d bytes follow the value", ErrMalformed, len(b)-n)
	}
	return nil
}

// skip checks one value and returns its length in bytes.
func skip(b []byte, depth int) (int, error) {
	if depth > MaxDepth+envelope {
		return 0, fmt.Errorf("%w: nested deeper than %d", ErrMalformed, MaxDepth)
	}
	h, err := scanHead(b)
	if err != nil {
		return 0, err
	}
	at := h.size
	switch h.kind {
	case kindFloat:
		if math.IsNaN(h.f) || math.IsInf(h.f, 0) {
			return 0, fmt.Errorf("%w: NaN and infinity have no JSON form", ErrMalformed)
		}
	case kindString:
		if _, err := scanString(b[at:], h); err != nil {
			return 0, err
		}
		at += h.n
	case kindArray, kindMap:
		values := h.n
		if h.kind == kindMap {
			values *= 2
		}
		if values > len(b)-at { // each value takes a byte at least
			return 0, fmt.Errorf("%w: %d values claimed, %d bytes left", ErrMalformed, values, len(b)-at)
		}
		for i := range values {
			if h.kind == kindMap && i%2 == 0 {
				if err := checkMapKey(b[at:]); err != nil {
					return 0, err
				}
			}
			n, err := skip(b[at:], depth+1)
			if err != nil {
				return 0, err
			}
			at += n
		}
	default: // a scalar: the head is all of it
	}
	return at, nil
}

func checkMapKey(b []byte) error {
	h, err := scanHead(b)
	if err == nil && h.kind != kindString {
		err = fmt.Errorf("%w: a map key that is no string", ErrMalformed)
	}
	return err
}

// scanString is the text of a string whose head was read; it aliases b.
func scanString(b []byte, h head) ([]byte, error) {
	if h.n > len(b) {
		return nil, fmt.Errorf("%w: a string of %d bytes claimed, %d left", ErrMalformed, h.n, len(b))
	}
	s := b[:h.n]
	if !utf8.Valid(s) {
		return nil, fmt.Errorf("%w: a string that is not UTF-8", ErrMalformed)
	}
	return s, nil
}
