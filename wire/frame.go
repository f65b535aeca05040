package wire

import (
	"bytes"
	"fmt"
	"math"
	"slices"
)

// Post is what a publisher says: a frame before the log has given it a place.
type Post struct {
	Ch    Channel
	TS    int64  // when the core took it, Unix milliseconds
	From  string // who published it; "" = not said
	MsgID string // the publisher's idempotency id; "" = none
	Refs  []string
	Data  Data
}

// Check reports why p can't be published.
func (p *Post) Check() error {
	if err := p.Ch.Check(); err != nil {
		return err
	}
	switch {
	case len(p.Data) == 0:
		return fmt.Errorf("%w: data is missing", ErrMalformed)
	case len(p.Data) > MaxData:
		return fmt.Errorf("%w: data of %d bytes, at most %d are allowed", ErrTooLarge, len(p.Data), MaxData)
	case !validText(p.MsgID, MaxMsgID):
		return fmt.Errorf("%w: msg_id must be UTF-8 of at most %d bytes", ErrMalformed, MaxMsgID)
	case !validText(p.From, MaxID):
		return fmt.Errorf("%w: from must be UTF-8 of at most %d bytes", ErrMalformed, MaxID)
	case len(p.Refs) > MaxRefs:
		return fmt.Errorf("%w: %d refs, at most %d are allowed", ErrTooLarge, len(p.Refs), MaxRefs)
	}
	for _, r := range p.Refs {
		if err := CheckID(r); err != nil {
			return fmt.Errorf("refs: %w", err)
		}
	}
	_, err := skip(p.Data, envelope) // data itself nests at most MaxDepth deep
	return err
}

// Body is a Post as the log keeps it: one byte that counts the entries, then
// the entries of a msgpack map. A frame is composed by putting its place in
// front (AppendFrame), so nothing is decoded or encoded twice.
type Body []byte

// AppendBody appends the Body of p.
func AppendBody(dst []byte, p *Post) Body {
	count := len(dst)
	dst = append(dst, 3)
	dst = appendString(appendString(dst, "ch"), string(p.Ch))
	dst = appendUint(appendString(dst, "ts"), uint64(p.TS))
	if p.From != "" {
		dst[count]++
		dst = appendString(appendString(dst, "from"), p.From)
	}
	if p.MsgID != "" {
		dst[count]++
		dst = appendString(appendString(dst, "msg_id"), p.MsgID)
	}
	if len(p.Refs) > 0 {
		dst[count]++
		dst = appendHead(appendString(dst, "refs"), 0x90, 0xdc, len(p.Refs))
		for _, r := range p.Refs {
			dst = appendString(dst, r)
		}
	}
	return append(appendString(dst, "data"), p.Data...)
}

// AppendFrame composes the frame of body at its place: the msgpack map
// {t:"message", p, seq, prev, ch, ts, …}. body must come from AppendBody.
func AppendFrame(dst []byte, p LogID, seq, prev Seq, body Body) []byte {
	dst = append(dst, 0x80|(4+body[0]))
	dst = appendString(appendString(dst, "t"), "message")
	dst = appendUint(appendString(dst, "p"), uint64(p))
	dst = appendUint(appendString(dst, "seq"), uint64(seq))
	dst = appendUint(appendString(dst, "prev"), uint64(prev))
	return append(dst, body[1:]...)
}

// Frame is one immutable record of a channel. Bytes is the message as msgpack
// clients receive it; the other fields are read out of it and alias it.
type Frame struct {
	Ch     Channel
	P      LogID
	Refers bool // it names users: there is a from, or refs
	Seq    Seq
	Prev   Seq
	TS     int64
	Bytes  []byte
}

// Post is the publisher's part of f. It aliases f.Bytes.
func (f *Frame) Post() (Post, error) {
	var p Post
	err := eachEntry(f.Bytes, func(key, v []byte) error { return p.entry(key, v) })
	return p, err
}

// ParseFrame reads the place and channel of a frame. b must not change as long
// as the Frame is used.
func ParseFrame(b []byte) (Frame, error) {
	f := Frame{Bytes: b}
	var seen int
	err := eachEntry(b, func(key, v []byte) (err error) {
		var u uint64
		switch string(key) {
		case "ch":
			f.Ch, err = text[Channel](v)
		case "p":
			if u, err = number(v); u > MaxLogs {
				return fmt.Errorf("%w: log %d", ErrMalformed, u)
			}
			f.P = LogID(u)
		case "seq":
			u, err = number(v)
			f.Seq = Seq(u)
		case "prev":
			u, err = number(v)
			f.Prev = Seq(u)
		case "ts":
			u, err = number(v)
			f.TS = int64(u)
		case "from", "refs":
			f.Refers = true
			return nil
		default:
			return nil
		}
		seen++
		return err
	})
	if err == nil && seen != 5 {
		err = fmt.Errorf("%w: a frame without its place", ErrMalformed)
	}
	return f, err
}

// ParseBody reads a Body back. The Post aliases it.
func ParseBody(b Body) (Post, error) {
	if len(b) == 0 || b[0] > 15 {
		return Post{}, fmt.Errorf("%w: no body of a frame", ErrMalformed)
	}
	var p Post
	err := entries(b[1:], int(b[0]), func(key, v []byte) error { return p.entry(key, v) })
	return p, err
}

func (p *Post) entry(key, v []byte) (err error) {
	switch string(key) {
	case "ch":
		p.Ch, err = text[Channel](v)
	case "ts":
		var u uint64
		u, err = number(v)
		p.TS = int64(u)
	case "from":
		p.From, err = text[string](v)
	case "msg_id":
		p.MsgID, err = text[string](v)
	case "data":
		p.Data = v
	case "refs":
		p.Refs, err = texts(v)
	}
	return err
}

// Same reports whether two posts say the same, whenever they were taken: what
// a repeated idempotency id must hold.
func (p *Post) Same(q *Post) bool {
	return p.Ch == q.Ch && p.From == q.From && slices.Equal(p.Refs, q.Refs) && bytes.Equal(p.Data, q.Data)
}

// AppendBack appends the variant of a frame that says back:true, as frames of a
// late channel are marked.
func AppendBack(dst, frame []byte) []byte {
	at := len(dst)
	dst = append(dst, frame...)
	dst[at]++ // a frame has at most 10 entries: the head stays a fixmap
	return append(appendString(dst, "back"), 0xc3)
}

// eachEntry calls fn for each entry of the small map b, with the value's bytes.
func eachEntry(b []byte, fn func(key, value []byte) error) error {
	h, err := scanHead(b)
	if err != nil {
		return err
	}
	if h.kind != kindMap {
		return fmt.Errorf("%w: not a map", ErrMalformed)
	}
	return entries(b[h.size:], h.n, fn)
}

func entries(b []byte, n int, fn func(key, value []byte) error) error {
	for range n {
		h, err := scanHead(b)
		if err != nil {
			return err
		}
		if h.kind != kindString || h.n > len(b)-h.size {
			return fmt.Errorf("%w: a map key that is no string", ErrMalformed)
		}
		key := b[h.size : h.size+h.n]
		b = b[h.size+h.n:]
		size, err := skip(b, 1)
		if err != nil {
			return err
		}
		if err := fn(key, b[:size:size]); err != nil {
			return err
		}
		b = b[size:]
	}
	if len(b) != 0 {
		return fmt.Errorf("%w: %d bytes follow the value", ErrMalformed, len(b))
	}
	return nil
}

func number(b []byte) (uint64, error) {
	h, err := scanHead(b)
	if err != nil {
		return 0, err
	}
	if h.kind == kindInt && h.i >= 0 {
		return uint64(h.i), nil
	}
	if h.kind != kindUint || h.u > math.MaxInt64 {
		return 0, fmt.Errorf("%w: a position that is no natural number", ErrMalformed)
	}
	return h.u, nil
}

func text[S ~string](b []byte) (S, error) {
	h, err := scanHead(b)
	if err == nil && h.kind != kindString {
		err = fmt.Errorf("%w: a text that is no string", ErrMalformed)
	}
	if err != nil {
		return "", err
	}
	return S(b[h.size : h.size+h.n]), nil
}

func texts(b []byte) ([]string, error) {
	h, err := scanHead(b)
	if err == nil && h.kind != kindArray {
		err = fmt.Errorf("%w: a list that is no array", ErrMalformed)
	}
	if err != nil {
		return nil, err
	}
	out := make([]string, 0, h.n)
	for b = b[h.size:]; len(out) < h.n; {
		size, err := skip(b, 1)
		if err != nil {
			return nil, err
		}
		s, err := text[string](b[:size])
		if err != nil {
			return nil, err
		}
		out, b = append(out, s), b[size:]
	}
	return out, nil
}
