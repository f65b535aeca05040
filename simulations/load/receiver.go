package load

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"selvedge/edge/websocket"
	"selvedge/wire"
)

// stage is how far a socket is.
type stage uint8

const (
	upgrading stage = iota // the request is on its way
	greeting               // hello is
	running
)

// receiver is what one socket makes of the bytes that it gets. Its owner calls
// it from one goroutine at a time.
type receiver struct {
	group   *group
	hello   []byte // the masked frame; nil once sent
	began   int64  // Now, before the connection was begun
	took    time.Duration
	stage   stage
	partial []byte     // the start of a frame whose rest has not come
	places  []position // by channel: most sockets have one or two
}

// position is how far a socket is in a channel.
type position struct {
	channel uint32
	seq     uint64
}

var (
	errRefused = errors.New("the upgrade was refused")
	errClosed  = errors.New("the server closed the socket")
	errGone    = fmt.Errorf("%w without a word", errClosed)
)

// newReceiver is a socket of g that says hello with a token.
func newReceiver(g *group, token string) (*receiver, error) {
	payload, err := wire.Msgpack.Append(nil, struct {
		T      string `json:"t"`
		Token  string `json:"token"`
		Client string `json:"client"`
	}{wire.THello, token, "bench/1"})
	if err != nil {
		return nil, err
	}
	return &receiver{group: g, hello: websocket.AppendMasked(nil, websocket.OpBinary, payload, mask())}, nil
}

func mask() [4]byte {
	r := rand.Uint32() // as good as any here: no proxy is on the way
	return [4]byte{byte(r), byte(r >> 8), byte(r >> 16), byte(r >> 24)}
}

// feed takes what came, the partial frame of before included, and returns what
// to send and how much of b it used up. An error ends the socket.
func (r *receiver) feed(c *checker, b []byte) (reply []byte, used int, err error) {
	if r.stage == upgrading {
		end := bytes.Index(b, []byte("\r\n\r\n"))
		if end < 0 {
			return nil, 0, nil
		}
		if err := checkAnswer(b[:end+4]); err != nil {
			return nil, 0, err
		}
		r.stage, used = greeting, end+4
		reply, r.hello = r.hello, nil
	}
	var frames, size int64
	for used < len(b) {
		h, ok, err := parseHeader(b[used:])
		if err != nil {
			return reply, used, r.wrong(err)
		}
		if !ok || len(b)-used < h.size+h.payload {
			break
		}
		payload := b[used+h.size : used+h.size+h.payload]
		used += h.size + h.payload
		counted, more, err := r.frame(c, h.op, payload)
		if err != nil {
			return reply, used, err
		}
		reply = append(reply, more...)
		if counted {
			frames++
			size += int64(h.size + h.payload)
		}
	}
	if frames > 0 {
		r.group.got(frames, size)
	}
	return reply, used, nil
}

// frame takes one whole frame.
func (r *receiver) frame(c *checker, op byte, payload []byte) (counted bool, reply []byte, err error) {
	switch op {
	case wholePing:
		r.group.count(func(s *Stats) { s.Pings++ })
		return false, websocket.AppendMasked(nil, websocket.OpPong, payload, mask()), nil
	case wholeClose:
		code, reason := websocket.ParseClose(payload)
		return false, nil, fmt.Errorf("%w: %d %s", errClosed, code, reason)
	case wholeBinary:
	default:
		return false, nil, r.wrong(fmt.Errorf("a frame that begins with %#x, on a msgpack socket", op))
	}
	if r.stage == greeting {
		return false, nil, r.welcome(payload)
	}
	e, err := c.check(payload)
	switch {
	case err != nil:
		return false, nil, r.wrong(err)
	case e.kind == message:
		r.advance(e)
		return true, nil, nil
	case e.kind == left:
		r.forget(e.channel)
	}
	r.group.count(func(s *Stats) { s.Others++ })
	return false, nil, nil
}

// welcome takes the first message.
func (r *receiver) welcome(payload []byte) error {
	if !isWelcome(payload) {
		return r.wrong(fmt.Errorf("%d bytes that are no welcome", len(payload)))
	}
	r.took = time.Duration(Now() - r.began)
	r.stage = running
	r.group.welcomed(r, len(payload))
	return nil
}

// isWelcome reports whether a payload is a welcome: by its first entry, where
// that is the type, else by decoding it.
func isWelcome(payload []byte) bool {
	if len(payload) > 11 && payload[0]&0xf0 == 0x80 && string(payload[1:11]) == "\xa1t\xa7welcome" {
		return true
	}
	var m struct {
		T string `json:"t"`
	}
	return wire.Msgpack.Decode(payload, &m) == nil && m.T == wire.TWelcome
}

// advance checks a message's place in its channel: exactly after the one
// before it.
func (r *receiver) advance(e entry) {
	for i := range r.places {
		p := &r.places[i]
		if p.channel != e.channel {
			continue
		}
		switch {
		case e.seq <= p.seq:
			r.group.complain(fmt.Errorf("message %d came after %d", e.seq, p.seq), func(s *Stats) { s.Duplicated++ })
		case e.prev != p.seq:
			r.group.complain(fmt.Errorf("message %d follows %d, but %d was the last that came", e.seq, e.prev, p.seq), func(s *Stats) { s.Lost++ })
			fallthrough
		default:
			p.seq = e.seq
		}
		return
	}
	r.places = append(r.places, position{e.channel, e.seq})
}

// forget forgets a channel that the user has left: after another join its
// messages go on somewhere else.
func (r *receiver) forget(channel uint32) {
	r.places = slices.DeleteFunc(r.places, func(p position) bool { return p.channel == channel })
}

func (r *receiver) wrong(err error) error {
	r.group.complain(err, func(s *Stats) { s.Wrong++ })
	return err
}

// rest keeps the start of a frame for the next read; b is only borrowed.
func (r *receiver) rest(b []byte) {
	if len(b) == 0 {
		r.partial = nil
		return
	}
	r.partial = append(make([]byte, 0, len(b)), b...)
}
