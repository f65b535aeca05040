package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/vmihailenco/msgpack/v5"
)

// Codec is one of the two forms of every message. Field names are the same in
// both: the json tags rule.
type Codec uint8

// The codecs.
const (
	JSON Codec = iota
	Msgpack
	Codecs // their number
)

// Subprotocol is the codec's WebSocket subprotocol.
func (c Codec) Subprotocol() string {
	if c == Msgpack {
		return "selvedge.v1.msgpack"
	}
	return "selvedge.v1.json"
}

// ContentType is the codec's media type in HTTP.
func (c Codec) ContentType() string {
	if c == Msgpack {
		return "application/msgpack"
	}
	return "application/json"
}

func (c Codec) String() string {
	if c == Msgpack {
		return "msgpack"
	}
	return "json"
}

// Append appends m in codec c. It fails only on Data that would not pass Check,
// or on types that have no form at all (a programmer's error).
func (c Codec) Append(dst []byte, m any) ([]byte, error) {
	if c == Msgpack {
		w := bytes.NewBuffer(dst)
		enc := msgpack.GetEncoder()
		defer msgpack.PutEncoder(enc)
		enc.Reset(w)
		enc.SetCustomStructTag("json")
		enc.SetOmitEmpty(false)
		enc.UseCompactInts(true)
		if err := enc.Encode(m); err != nil {
			return nil, fmt.Errorf("encode msgpack: %w", err)
		}
		return w.Bytes(), nil
	}
	b, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode json: %w", err)
	}
	return append(dst, b...), nil
}

// Decode reads exactly one m of strangers' bytes: malformed, too deep or
// trailing bytes and wrong types are errors that say so; unknown fields are
// ignored. What it decodes aliases nothing of b.
func (c Codec) Decode(b []byte, m any) error { return c.decode(b, m, false) }

// DecodeStrict is Decode that refuses fields which m does not have.
func (c Codec) DecodeStrict(b []byte, m any) error { return c.decode(b, m, true) }

func (c Codec) decode(b []byte, m any, strict bool) error {
	if c == JSON {
		return decodeJSON(b, m, strict)
	}
	if err := Check(b); err != nil {
		return err
	}
	dec := msgpack.GetDecoder()
	defer msgpack.PutDecoder(dec)
	dec.Reset(bytes.NewReader(b))
	dec.SetCustomStructTag("json")
	dec.DisallowUnknownFields(strict)
	if err := dec.Decode(m); err != nil {
		return fmt.Errorf("malformed msgpack: %s", strings.TrimPrefix(err.Error(), "msgpack: "))
	}
	return nil
}

func decodeJSON(b []byte, m any, strict bool) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	if strict {
		dec.DisallowUnknownFields()
	}
	if err := dec.Decode(m); err != nil {
		return jsonError(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("malformed JSON: more than one value")
	}
	return nil
}

// FieldError is a decoding error that a field can be blamed for.
type FieldError struct {
	Field string
	Err   error
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Err.Error() }
func (e *FieldError) Unwrap() error { return e.Err }

// jsonError puts what encoding/json reports into a user's words.
func jsonError(err error) error {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return &FieldError{Field: wrong.Field, Err: fmt.Errorf("expected %s, got a JSON %s", wrong.Type, wrong.Value)}
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return &FieldError{Field: strings.Trim(name, `"`), Err: errors.New("unknown field")}
	}
	text := strings.TrimPrefix(eof(err).Error(), "json: ")
	if strings.HasPrefix(text, "malformed") {
		return err
	}
	return fmt.Errorf("malformed JSON: %s", text)
}
