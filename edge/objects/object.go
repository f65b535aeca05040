package objects

import (
	"sync/atomic"
	"unsafe"

	"selvedge/edge/cache"
	"selvedge/wire"
)

// Object is one version of a document. It doesn't change, and is valid for ever.
type Object struct {
	Key string // "user:1", "room:x"
	// V is the position of its record in the state log. If there is no such
	// document, it is a position at which there was none.
	V wire.Seq
	// Data is the document in msgpack; nil = there is none.
	Data wire.Data

	id      uint32
	shard   *shard // that holds it
	packets [cache.Forms]atomic.Pointer[[]byte]
}

// Exists reports whether there is such a document.
func (o *Object) Exists() bool { return o.Data != nil }

// Told is the document as clients are told of it: where there is none, it is an
// empty one at position 0.
func (o *Object) Told() wire.Object {
	if !o.Exists() {
		return wire.Object{Data: wire.Data{}.OrEmpty()}
	}
	return wire.Object{V: o.V, Data: o.Data}
}

// ID is unlike that of any other version of any document here, until four
// billion came.
func (o *Object) ID() uint32 { return o.id }

// PacketIn is the WebSocket message that tells a client of the object. It is
// made once, when first needed, and must not be changed.
func (o *Object) PacketIn(form cache.Form) []byte {
	if p := o.packets[form].Load(); p != nil {
		return *p
	}
	b, err := wire.Msgpack.Append(nil, wire.ObjectMoved{T: wire.TObject, Key: o.Key, V: o.V, Data: o.Data})
	if err != nil {
		return nil // a document that the core took has a form
	}
	packet := cache.PacketIn(form, b)
	if !o.packets[form].CompareAndSwap(nil, &packet) {
		return *o.packets[form].Load()
	}
	o.shard.charge(o, len(packet)+sliceHeader)
	return packet
}

const (
	// overhead is what a document takes beside its bytes: the structs, the LRU's
	// entry, the place in its map, and the two strings' round-up.
	overhead    = int(unsafe.Sizeof(Object{})+unsafe.Sizeof(entry{})) + lruEntry + mapPlace
	lruEntry    = 80
	mapPlace    = 48
	sliceHeader = int(unsafe.Sizeof([]byte{}))
)

// size is what o takes, in bytes, but for packets that are yet to be made.
func (o *Object) size() int {
	n := overhead + len(o.Key) + len(o.Data)
	for i := range o.packets {
		if p := o.packets[i].Load(); p != nil {
			n += len(*p) + sliceHeader
		}
	}
	return n
}
