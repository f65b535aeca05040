package cache

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"selvedge/edge/websocket"
	"selvedge/wire"
)

// Frame is a frame as an edge holds it: with the WebSocket messages that carry
// it, each made once, when first needed, and shared by every socket.
type Frame struct {
	wire.Frame
	// Channel is the frame's channel here; set by Log.Append and Channel.Fill.
	Channel *Channel
	// Hole: frames of the channel between those held before and this one may
	// be missing; readers below it need a fill.
	Hole bool

	packets [2 * Forms]atomic.Pointer[[]byte] // those with back behind the others; written under packing
	packing sync.Mutex
}

// ParseFrame is the Frame of its bytes, which must not change any more.
func ParseFrame(b []byte) (*Frame, error) {
	wf, err := wire.ParseFrame(b)
	if err != nil {
		return nil, err
	}
	return &Frame{Frame: wf}, nil
}

// PacketIn is the whole WebSocket message of the frame in a form, marked back or
// not. It is immutable and valid for ever; where compression saves nothing, it
// is that of the plain form. Shards that ask at once wait for the first one to
// make it: they all would, since they all get the frame at once.
func (f *Frame) PacketIn(form Form, back bool) []byte {
	if p := f.slot(form, back).Load(); p != nil {
		return *p
	}
	return f.pack(form, back)
}

// pack makes a packet that isn't there.
func (f *Frame) pack(form Form, back bool) []byte {
	f.packing.Lock()
	defer f.packing.Unlock()
	if p := f.slot(form, back).Load(); p != nil {
		return *p
	}
	payload := f.Bytes
	if back {
		payload = wire.AppendBack(make([]byte, 0, len(payload)+8), payload)
	}
	op, body := encode(form.Codec(), payload)
	var packet []byte
	if form.Deflates() {
		packet = websocket.DeflatedMessage(op, body)
	}
	if packet == nil { // the plain form's
		plain := f.slot(form.Plain(), back)
		if p := plain.Load(); p != nil {
			packet = *p
		} else {
			packet = websocket.Message(op, body)
			plain.Store(&packet)
		}
	}
	f.slot(form, back).Store(&packet)
	return packet
}

func (f *Frame) slot(form Form, back bool) *atomic.Pointer[[]byte] {
	if back {
		form += Forms
	}
	return &f.packets[form]
}

// size is what the frame costs the cache's budget: its own struct and what
// holds it, its bytes, one packet, and a compressed one of half the size. Only
// where clients of all kinds are in the room is it more, up to twice as much,
// and back packets are rare.
func (f *Frame) size() int {
	const held = int(unsafe.Sizeof(Frame{})) + 2*sliceHeader + 64
	return held + 5*len(f.Bytes)/2
}

// sliceHeader is the size of what a slot points to, in bytes.
const sliceHeader = int(unsafe.Sizeof([]byte{}))
