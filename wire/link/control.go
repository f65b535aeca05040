package link

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"selvedge/wire"
)

// Live as a position of Open means: from the log's end on.
const Live = wire.Seq(1<<63 - 1)

// message is any message of the control stream: T says which fields matter.
type message struct {
	T string `json:"t"`

	// hello
	Version int    `json:"version,omitempty"`
	Node    string `json:"node,omitempty"`
	Region  string `json:"region,omitempty"`

	// welcome
	Epoch string     `json:"epoch,omitempty"`
	Logs  int        `json:"logs,omitempty"`
	Ends  []wire.Seq `json:"ends,omitempty"` // by log, the state log last; in pongs, too

	// open, interest, close
	P     wire.LogID `json:"p,omitempty"`
	ID    uint64     `json:"id,omitempty"`
	After wire.Seq   `json:"after,omitempty"` // open: position; interest: since
	Add   []wire.Key `json:"add,omitempty"`
	Del   []wire.Key `json:"del,omitempty"`

	// ping, pong: Unix nanoseconds of the sender's clock
	Sent int64 `json:"sent,omitempty"`
	At   int64 `json:"at,omitempty"`
	// ping: how the downstream is doing, for people
	Status *Status `json:"status,omitempty"`

	// order, and pongs of a core: what to do
	Order *Order `json:"order,omitempty"`
	// done: why the order is not taken
	Err *wire.Error `json:"err,omitempty"`
}

// Status is what a downstream tells of itself with each ping. Counters count
// since its start.
type Status struct {
	Sockets      int     `json:"sockets"`
	SocketsLimit int     `json:"sockets_limit"`
	Users        int     `json:"users"`     // with a socket at least
	Frames       uint64  `json:"frames"`    // received
	Bytes        uint64  `json:"bytes"`     // received
	Delivered    uint64  `json:"delivered"` // to sockets
	Fed          uint64  `json:"fed"`       // bytes that were sent to siblings
	DelayMillis  float64 `json:"delay_ms"`  // core to socket, of the newest frame
	RTTMillis    float64 `json:"rtt_ms"`    // as the downstream measures it
	UptimeMillis int64   `json:"uptime_ms"`
}

const (
	tHello    = "hello"
	tWelcome  = "welcome"
	tOpen     = "open"
	tClose    = "close"
	tInterest = "interest"
	tPing     = "ping"
	tPong     = "pong"
	tOrder    = "order" // in place of hello, from a core
	tDone     = "done"
)

// encodeMessage is m behind its length, as writeMessage writes it.
func encodeMessage(m any) ([]byte, error) {
	b, err := wire.Msgpack.Append(make([]byte, 4), m)
	if err != nil {
		return nil, err
	}
	n := len(b) - 4
	if n > maxControl {
		return nil, fmt.Errorf("%w: a control message of %d bytes", ErrProtocol, n)
	}
	binary.BigEndian.PutUint32(b, uint32(n))
	return b, nil
}

func writeMessage(w io.Writer, m any) error {
	b, err := encodeMessage(m)
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}

// readMessage reads what writeMessage wrote, of at most limit bytes.
func readMessage(r io.Reader, m any, limit int) error {
	b, err := readEncoded(r, limit, nil)
	if err != nil {
		return err
	}
	return wire.Msgpack.Decode(b, m)
}

// readEncoded reads a message that is left encoded, into what space gives if it
// is large enough; nil = none is given.
func readEncoded(r io.Reader, limit int, space func(n int) []byte) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	n := int64(binary.BigEndian.Uint32(size[:]))
	if n > int64(limit) {
		return nil, fmt.Errorf("%w: a message of %d bytes, at most %d are allowed", ErrProtocol, n, limit)
	}
	if space == nil {
		return readBytes(r, int(n), nil)
	}
	return readBytes(r, int(n), space(int(n)))
}

// believed is a claimed size, in bytes, for which room is made before anything
// has arrived.
const believed = 256 << 10

// readBytes reads n bytes, into space if it is large enough. It grows a buffer
// of its own with what arrives, not with what is claimed.
func readBytes(r io.Reader, n int, space []byte) ([]byte, error) {
	b := space[:0]
	if cap(b) < n {
		b = make([]byte, 0, min(n, believed))
	}
	for {
		at := len(b)
		b = b[:min(n, cap(b))]
		if _, err := io.ReadFull(r, b[at:]); err != nil {
			if errors.Is(err, io.EOF) && n > 0 {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		if len(b) == n {
			return b, nil
		}
		b = slices.Grow(b, min(n-len(b), len(b)))
	}
}
