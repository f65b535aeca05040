package link

import (
	"encoding/binary"
	"fmt"
	"io"

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
	Epoch string      `json:"epoch,omitempty"`
	Logs  int         `json:"logs,omitempty"`
	Ends  []wire.Seq  `json:"ends,omitempty"` // by log, the state log last
	Err   *wire.Error `json:"err,omitempty"`

	// open, interest
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
}

// Status is what a downstream tells of itself with each ping. Counters count
// since its start.
type Status struct {
	Sockets      int     `json:"sockets"`
	SocketsLimit int     `json:"sockets_limit"`
	Frames       uint64  `json:"frames"`    // received
	Bytes        uint64  `json:"bytes"`     // received
	Delivered    uint64  `json:"delivered"` // to sockets
	DelayMillis  float64 `json:"delay_ms"`  // core to socket, of the newest frame
	RTTMillis    float64 `json:"rtt_ms"`    // as the downstream measures it
	UptimeMillis int64   `json:"uptime_ms"`
}

const (
	tHello    = "hello"
	tWelcome  = "welcome"
	tOpen     = "open"
	tInterest = "interest"
	tPing     = "ping"
	tPong     = "pong"
)

// appendMessage appends m behind its length, as writeMessage writes it.
func appendMessage(dst []byte, m any) ([]byte, error) {
	at := len(dst)
	dst, err := wire.Msgpack.Append(append(dst, 0, 0, 0, 0), m)
	if err != nil {
		return nil, err
	}
	n := len(dst) - at - 4
	if n > maxControl {
		return nil, fmt.Errorf("%w: a control message of %d bytes", ErrProtocol, n)
	}
	binary.BigEndian.PutUint32(dst[at:], uint32(n))
	return dst, nil
}

func writeMessage(w io.Writer, m any) error {
	b, err := appendMessage(nil, m)
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}

// readMessage reads what writeMessage wrote, of at most limit bytes. It grows
// its buffer with what arrives, not with what is claimed.
func readMessage(r io.Reader, m any, limit int) error {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return err
	}
	n := int64(binary.BigEndian.Uint32(size[:]))
	if n > int64(limit) {
		return fmt.Errorf("%w: a message of %d bytes, at most %d are allowed", ErrProtocol, n, limit)
	}
	b, err := io.ReadAll(io.LimitReader(r, n))
	if err == nil && int64(len(b)) < n {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return err
	}
	return wire.Msgpack.Decode(b, m)
}
