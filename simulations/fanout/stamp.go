package fanout

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// A payload is ASCII text of a fixed size, so that every tier carries the same bytes
// whatever it wraps around them: a mark, three numbers, and a filling.
const (
	mark      = "selvedge-fanout:"
	digits    = 19                            // of each number: enough for an int64
	stampSize = len(mark) + 3*(digits+1)      // without the filling
	filling   = "warp and weft, end by end, " // repeated
)

// stamp is what a payload says of itself.
type stamp struct {
	round int64 // the round that it belongs to
	n     int64 // its number there, from 0
	at    int64 // load.Now, when it was published or should have been
}

// payloads makes and reads payloads of one size.
type payloads struct {
	size    int
	filling []byte
}

func newPayloads(size int) payloads {
	return payloads{size, []byte(strings.Repeat(filling, size/len(filling)+1)[:max(0, size-stampSize)])}
}

// text is a payload.
func (p payloads) text(s stamp) []byte {
	b := make([]byte, 0, p.size)
	b = append(b, mark...)
	for _, v := range [...]int64{s.round, s.n, s.at} {
		b = fmt.Appendf(b, "%0*d:", digits, v)
	}
	return append(b, p.filling...)
}

// find reads the payload that is within b. ok = false: there is none. It fails if
// there is one that is not as it was made.
func (p payloads) find(b []byte) (s stamp, ok bool, err error) {
	at := bytes.Index(b, []byte(mark))
	if at < 0 {
		return s, false, nil
	}
	b = b[at:]
	if len(b) < p.size {
		return s, true, fmt.Errorf("a payload of %d bytes, %d were published", len(b), p.size)
	}
	for i, to := range [...]*int64{&s.round, &s.n, &s.at} {
		from := len(mark) + i*(digits+1)
		if *to, err = strconv.ParseInt(string(b[from:from+digits]), 10, 64); err != nil || b[from+digits] != ':' || *to < 0 {
			return s, true, fmt.Errorf("a payload that begins with %q", b[:stampSize])
		}
	}
	if !bytes.Equal(b[stampSize:p.size], p.filling) {
		return s, true, fmt.Errorf("payload %d of round %d is damaged", s.n, s.round)
	}
	return s, true, nil
}
