package websocket

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"sync"

	"github.com/klauspost/compress/flate"
)

const (
	// keepScratch is the largest buffer that is kept for the next message, in
	// bytes: more than any message of a client.
	keepScratch = 128 << 10

	// inflateEnd is the empty block that a message was sent without (RFC 7692,
	// section 7.2.2), and another one that says that nothing follows.
	inflateEnd = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"
)

// inflater is a decompressor, about 40 KiB and its buffers: it is used for one
// message at a time, and no socket has one.
type inflater struct {
	r   io.Reader // a flate reader of src
	src bytes.Reader
	in  []byte // what src reads
	out []byte // of Parser
}

var inflaters = sync.Pool{New: func() any {
	i := &inflater{}
	i.r = flate.NewReader(&i.src)
	return i
}}

// put gives i back, without buffers that became large.
func (i *inflater) put() {
	i.in, i.out = kept(i.in), kept(i.out)
	inflaters.Put(i)
}

func kept(b []byte) []byte {
	if cap(b) > keepScratch {
		return nil
	}
	return b
}

// AppendInflated appends the payload of a compressed message, all fragments
// joined. It fails with ErrDeflate if that is broken, and with ErrTooLarge as
// soon as more than limit bytes came out of it. Safe for concurrent use.
func AppendInflated(dst, payload []byte, limit int) ([]byte, error) {
	i := inflaters.Get().(*inflater)
	defer i.put()
	return i.append(dst, payload, limit)
}

func (i *inflater) append(dst, payload []byte, limit int) ([]byte, error) {
	if len(payload) == 0 {
		return dst, nil // not even an empty block: an empty message to everybody else
	}
	i.in = append(append(i.in[:0], payload...), inflateEnd...)
	i.src.Reset(i.in)
	if err := i.reset(); err != nil {
		return dst, err
	}
	for most := len(dst) + max(limit, 0); ; {
		if len(dst) == cap(dst) {
			dst = slices.Grow(dst, max(len(payload), bytes.MinRead))
		}
		n, err := i.r.Read(dst[len(dst):min(cap(dst), most+1)])
		dst = dst[:len(dst)+n]
		switch {
		case len(dst) > most:
			return dst, ErrTooLarge
		case err == nil:
		case !errors.Is(err, io.EOF):
			return dst, ErrDeflate
		case i.src.Len() == 0:
			return dst, nil
		default:
			// A block that called itself the last one, with more behind it: a
			// message may be several streams (RFC 7692, section 7.2.3.4).
			if err := i.reset(); err != nil {
				return dst, err
			}
		}
	}
}

// reset makes the decompressor begin a stream with the rest of src.
func (i *inflater) reset() error { return i.r.(flate.Resetter).Reset(&i.src, nil) }

// mostDeflated bounds the compressed form of limit bytes. What can't be
// compressed grows a little: by 5 bytes per stored block, of 8 KiB or so, and
// per flush.
func mostDeflated(limit int) int { return limit + limit>>8 + 64 }
