package cache

import (
	"selvedge/edge/websocket"
	"selvedge/wire"
)

// Form is how a socket takes its messages: a codec, compressed or not. The
// forms that are not compressed have their codec's number.
type Form uint8

// Forms is the number of forms.
const Forms = 2 * Form(wire.Codecs)

// FormOf is the form of a socket that agreed on c and deflate.
func FormOf(c wire.Codec, deflate bool) Form {
	if deflate {
		return Form(wire.Codecs + c)
	}
	return Form(c)
}

// Codec is f's codec.
func (f Form) Codec() wire.Codec { return wire.Codec(f % Form(wire.Codecs)) }

// Deflates says whether messages are compressed where that saves something.
// Messages that aren't may be sent to the same socket.
func (f Form) Deflates() bool { return f >= Form(wire.Codecs) }

// Plain is f without compression. It is what a message of a single socket is
// for, unless it is long: 1 KiB takes 15 us to compress.
func (f Form) Plain() Form { return Form(f.Codec()) }

func (f Form) String() string {
	if f.Deflates() {
		return f.Codec().String() + "+deflate"
	}
	return f.Codec().String()
}

// PacketIn is the WebSocket message of a msgpack payload in a form. A payload
// without a JSON form, which the core never lets in, gives an empty message.
func PacketIn(form Form, payload []byte) []byte {
	op, body := encode(form.Codec(), payload)
	if form.Deflates() {
		if p := websocket.DeflatedMessage(op, body); p != nil {
			return p
		}
	}
	return websocket.Message(op, body)
}

// PacketOf is PacketIn for a payload in b behind websocket.MaxHeader bytes of
// room. It is made in b's own memory where nothing has to be encoded.
func PacketOf(form Form, b []byte) []byte {
	if form == FormOf(wire.Msgpack, false) {
		return websocket.PutHeader(b, websocket.OpBinary)
	}
	return PacketIn(form, b[websocket.MaxHeader:])
}

// encode is a msgpack payload in codec c, and what it travels as.
func encode(c wire.Codec, payload []byte) (websocket.Op, []byte) {
	if c == wire.Msgpack {
		return websocket.OpBinary, payload
	}
	text, err := wire.Data(payload).AppendJSON(make([]byte, 0, len(payload)+len(payload)/4+16))
	if err != nil {
		text = nil
	}
	return websocket.OpText, text
}
