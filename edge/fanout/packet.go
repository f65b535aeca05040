package fanout

import (
	"selvedge/edge/cache"
	"selvedge/wire"
)

// maxPayload is how long a payload may be, in bytes, for its memory to be used
// again: most pages of history are shorter.
const maxPayload = 1 << 20

// packet is m as a socket of a form gets it. Safe for concurrent use.
func (e *Engine) packet(form cache.Form, m any) ([]byte, error) {
	room, ok := e.payloads.Get().(*[]byte)
	if !ok {
		room = new([]byte)
	}
	defer e.payloads.Put(room)
	b, err := wire.Msgpack.Append((*room)[:0], m)
	if err != nil {
		return nil, err
	}
	if cap(b) <= maxPayload {
		*room = b
	}
	return cache.PacketIn(form, b), nil // a copy
}
