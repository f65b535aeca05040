package websocket

import (
	"sync"

	"github.com/klauspost/compress/flate"
)

const (
	// DeflateFloor is the smallest payload that is compressed, in bytes. Below
	// it, the code tables take what is saved.
	DeflateFloor = 256

	// windowBits is the base-2 logarithm of how far back a compressed message of
	// ours refers. 32 KiB instead of these 4 saved nothing on 64 KiB of JSON; and
	// since a message is compressed once for everybody, clients that ask for a
	// small window (some do, for 12 bits) could have none.
	windowBits = 12

	// markSize is the length of the empty block that ends a flushed stream, and
	// that no message carries (RFC 7692, section 7.2.1).
	markSize = 4
)

// deflater is a compressor, about 1 MiB: it is used for one message at a time,
// and no socket has one.
type deflater struct {
	w   *flate.Writer
	out sliceWriter
}

// sliceWriter appends what is written to it.
type sliceWriter struct{ b []byte }

func (w *sliceWriter) Write(b []byte) (int, error) {
	w.b = append(w.b, b...)
	return len(b), nil
}

var deflaters = sync.Pool{New: func() any {
	w, err := flate.NewWriterWindow(nil, 1<<windowBits)
	if err != nil {
		panic(err) // the size is a constant
	}
	return &deflater{w: w}
}}

// put gives d back, without a buffer that became large.
func (d *deflater) put() {
	if cap(d.out.b) > keepScratch {
		d.out.b = nil
	}
	deflaters.Put(d)
}

// deflate is the compressed form of payload, valid until put; nil if it would
// save nothing.
func (d *deflater) deflate(payload []byte) []byte {
	d.out.b = d.out.b[:0]
	d.w.Reset(&d.out)
	if _, err := d.w.Write(payload); err != nil {
		return nil
	}
	if err := d.w.Flush(); err != nil {
		return nil
	}
	if len(d.out.b)-markSize >= len(payload) {
		return nil
	}
	return d.out.b[:len(d.out.b)-markSize]
}

// AppendDeflated appends the compressed form of a message's payload (RFC 7692,
// section 7.2.1), which needs no other message to be understood. ok is false,
// and nothing appended, if the payload is below DeflateFloor or would become no
// smaller: then it is sent as it is. Safe for concurrent use.
func AppendDeflated(dst, payload []byte) (_ []byte, ok bool) {
	if len(payload) < DeflateFloor {
		return dst, false
	}
	d := deflaters.Get().(*deflater)
	defer d.put()
	b := d.deflate(payload)
	return append(dst, b...), b != nil
}

// Message is a whole unmasked message, in memory of exactly its size.
func Message(op Op, payload []byte) []byte { return message(byte(op), payload) }

// DeflatedMessage is Message in compressed form, or nil where AppendDeflated
// appends nothing. Safe for concurrent use.
func DeflatedMessage(op Op, payload []byte) []byte {
	if len(payload) < DeflateFloor {
		return nil
	}
	d := deflaters.Get().(*deflater)
	defer d.put()
	b := d.deflate(payload)
	if b == nil {
		return nil
	}
	return message(rsv1Bit|byte(op), b)
}

func message(op byte, payload []byte) []byte {
	var head [MaxHeader]byte
	h := appendHeader(head[:0], op, len(payload), 0)
	return append(append(make([]byte, 0, len(h)+len(payload)), h...), payload...)
}
