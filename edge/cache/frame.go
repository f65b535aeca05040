package cache

import (
	"sync/atomic"

	"selvedge/edge/websocket"
	"selvedge/wire"
)

// Frame is a frame as an edge holds it: with the WebSocket messages that carry
// it, each made once, when first needed, and shared by every socket.
type Frame struct {
	wire.Frame
	// Channel is the frame's channel here; set by Log.Append.
	Channel *Channel
	// Hole: frames of the channel between those held before and this one may
	// be missing; readers below it need a fill.
	Hole bool

	packets [2 * wire.Codecs]atomic.Pointer[[]byte]
}

// ParseFrame is the Frame of its bytes, which must not change any more.
func ParseFrame(b []byte) (*Frame, error) {
	wf, err := wire.ParseFrame(b)
	if err != nil {
		return nil, err
	}
	return &Frame{Frame: wf}, nil
}

// Packet is the whole WebSocket message of the frame in a codec, marked back or
// not. It is immutable and valid for ever. Two shards that ask at once may both
// make it, and one is kept: cheaper than a lock for all the times that follow.
func (f *Frame) Packet(c wire.Codec, back bool) []byte {
	slot := &f.packets[c]
	if back {
		slot = &f.packets[wire.Codecs+c]
	}
	if p := slot.Load(); p != nil {
		return *p
	}
	payload := f.Bytes
	if back {
		payload = wire.AppendBack(make([]byte, 0, len(payload)+8), payload)
	}
	packet := Packet(c, payload)
	if slot.CompareAndSwap(nil, &packet) {
		return packet
	}
	return *slot.Load()
}

// Packet is the WebSocket message of a msgpack payload in a codec. A payload
// without a JSON form, which the core never lets in, gives an empty message.
func Packet(c wire.Codec, payload []byte) []byte {
	op := websocket.OpBinary
	if c == wire.JSON {
		op = websocket.OpText
		text, err := wire.Data(payload).AppendJSON(make([]byte, 0, len(payload)+len(payload)/4+16))
		if err != nil {
			text = nil
		}
		payload = text
	}
	return append(websocket.AppendHeader(make([]byte, 0, len(payload)+10), op, len(payload)), payload...)
}

// size is what the frame costs the cache's budget: its bytes, its own struct
// and the first packet.
func (f *Frame) size() int { return 2*len(f.Bytes) + 256 }
