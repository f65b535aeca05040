package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5"
)

// Data is one value of an application: its checked msgpack form. It is
// marshalled as itself in msgpack and as its twin in JSON. Treat it as
// immutable; it may alias the buffer that it was decoded from, which is then
// immutable too.
//
// Numbers: a JSON integer within int64 or uint64 stays exact; every other
// number becomes a float64. Keys of a JSON object are sorted.
type Data []byte

// ErrTooLarge: a value exceeds its limit.
var ErrTooLarge = errors.New("too large")

// ParseJSON is the Data of one JSON text.
func ParseJSON(text []byte) (Data, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("malformed JSON: %w", eof(err))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("malformed JSON: more than one value")
	}
	out, err := appendValue(make([]byte, 0, len(text)), v, 0)
	if err != nil {
		return nil, err
	}
	return out, nil
}

// eof says in words what a bare "EOF" means.
func eof(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it ends early")
	}
	return err
}

// appendValue appends the msgpack form of what encoding/json decoded.
func appendValue(dst []byte, v any, depth int) ([]byte, error) {
	if depth > MaxDepth {
		return nil, fmt.Errorf("malformed JSON: nested deeper than %d", MaxDepth)
	}
	switch v := v.(type) {
	case nil:
		return append(dst, 0xc0), nil
	case bool:
		if v {
			return append(dst, 0xc3), nil
		}
		return append(dst, 0xc2), nil
	case string:
		return appendString(dst, v), nil
	case json.Number:
		return appendNumber(dst, string(v))
	case []any:
		dst = appendHead(dst, 0x90, 0xdc, len(v))
		for _, x := range v {
			var err error
			if dst, err = appendValue(dst, x, depth+1); err != nil {
				return nil, err
			}
		}
		return dst, nil
	case map[string]any:
		dst = appendHead(dst, 0x80, 0xde, len(v))
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			var err error
			if dst, err = appendValue(appendString(dst, k), v[k], depth+1); err != nil {
				return nil, err
			}
		}
		return dst, nil
	}
	return nil, fmt.Errorf("malformed JSON: a %T", v)
}

func appendNumber(dst []byte, s string) ([]byte, error) {
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		if i >= 0 {
			return appendUint(dst, uint64(i)), nil
		}
		return appendInt(dst, i), nil
	}
	if u, err := strconv.ParseUint(s, 10, 64); err == nil {
		return appendUint(dst, u), nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return nil, fmt.Errorf("malformed JSON: number %s does not fit a float64", clip(s))
	}
	return appendUint64(append(dst, 0xcb), math.Float64bits(f)), nil
}

// AppendJSON appends d's JSON twin. It fails only on bytes that would not pass
// Check. Nil Data is null.
func (d Data) AppendJSON(dst []byte) ([]byte, error) {
	if len(d) == 0 {
		return append(dst, "null"...), nil
	}
	dst, n, err := appendJSON(dst, d, 0)
	if err == nil && n != len(d) {
		err = fmt.Errorf("%w: %d bytes follow the value", ErrMalformed, len(d)-n)
	}
	return dst, err
}

func appendJSON(dst, b []byte, depth int) (_ []byte, size int, err error) {
	if depth > MaxDepth+envelope {
		return nil, 0, fmt.Errorf("%w: nested deeper than %d", ErrMalformed, MaxDepth)
	}
	h, err := scanHead(b)
	if err != nil {
		return nil, 0, err
	}
	at := h.size
	switch h.kind {
	case kindNil:
		dst = append(dst, "null"...)
	case kindFalse:
		dst = append(dst, "false"...)
	case kindTrue:
		dst = append(dst, "true"...)
	case kindInt:
		dst = strconv.AppendInt(dst, h.i, 10)
	case kindUint:
		dst = strconv.AppendUint(dst, h.u, 10)
	case kindFloat:
		if math.IsNaN(h.f) || math.IsInf(h.f, 0) {
			return nil, 0, fmt.Errorf("%w: NaN and infinity have no JSON form", ErrMalformed)
		}
		dst = appendFloat(dst, h.f)
	case kindString:
		s, err := scanString(b[at:], h)
		if err != nil {
			return nil, 0, err
		}
		dst = appendQuoted(dst, s)
		at += h.n
	case kindArray:
		dst = append(dst, '[')
		for i := range h.n {
			if i > 0 {
				dst = append(dst, ',')
			}
			var n int
			if dst, n, err = appendJSON(dst, b[at:], depth+1); err != nil {
				return nil, 0, err
			}
			at += n
		}
		dst = append(dst, ']')
	case kindMap:
		dst = append(dst, '{')
		for i := range h.n {
			if i > 0 {
				dst = append(dst, ',')
			}
			if err := checkMapKey(b[at:]); err != nil {
				return nil, 0, err
			}
			var n int
			if dst, n, err = appendJSON(dst, b[at:], depth+1); err != nil {
				return nil, 0, err
			}
			at += n
			dst = append(dst, ':')
			if dst, n, err = appendJSON(dst, b[at:], depth+1); err != nil {
				return nil, 0, err
			}
			at += n
		}
		dst = append(dst, '}')
	default: // scanHead lets nothing else through
	}
	return dst, at, nil
}

// appendFloat writes the shortest text that parses back to f, as ECMAScript and
// encoding/json do: plain between 1e-6 and 1e21, with an exponent outside.
func appendFloat(dst []byte, f float64) []byte {
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, f, format, -1, 64)
}

const hex = "0123456789abcdef"

// appendQuoted appends s, which is UTF-8, as a JSON string (RFC 8259, section 7).
func appendQuoted(dst, s []byte) []byte {
	dst = append(dst, '"')
	start := 0
	for i, c := range s {
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[start:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		}
		start = i + 1
	}
	return append(append(dst, s[start:]...), '"')
}

// MarshalJSON implements json.Marshaler.
func (d Data) MarshalJSON() ([]byte, error) { return d.AppendJSON(nil) }

// UnmarshalJSON implements json.Unmarshaler.
func (d *Data) UnmarshalJSON(text []byte) (err error) {
	*d, err = ParseJSON(text)
	return err
}

// EncodeMsgpack implements msgpack.CustomEncoder.
func (d Data) EncodeMsgpack(enc *msgpack.Encoder) error {
	if len(d) == 0 {
		return enc.EncodeNil()
	}
	return enc.Encode(msgpack.RawMessage(d))
}

// DecodeMsgpack implements msgpack.CustomDecoder. The bytes must have passed
// Check.
func (d *Data) DecodeMsgpack(dec *msgpack.Decoder) error {
	raw, err := dec.DecodeRaw()
	if err != nil {
		return err
	}
	*d = Data(raw)
	return nil
}

// String is d's JSON twin, for people.
func (d Data) String() string {
	b, err := d.AppendJSON(nil)
	if err != nil {
		return "(" + err.Error() + ")"
	}
	return string(b)
}

// IsObject reports whether d is a map.
func (d Data) IsObject() bool {
	h, err := scanHead(d)
	return err == nil && h.kind == kindMap
}

// validText reports whether s is UTF-8 within n bytes.
func validText(s string, n int) bool { return len(s) <= n && utf8.ValidString(s) }

// IsSet reports whether d is a value at all: it was given, and is not nil.
func (d Data) IsSet() bool { return len(d) > 0 && d[0] != 0xc0 }

// OrEmpty is d, or an empty object if there is none: what clients are told of
// who has no document.
func (d Data) OrEmpty() Data {
	if len(d) == 0 {
		return Data{0x80}
	}
	return d
}
