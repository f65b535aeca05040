package link

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"time"

	"selvedge/wire"
	"selvedge/wire/tail"
)

// A log's stream is: uvarint log number, uvarint how many streams of this log the
// link has had with this one, then records. A record is: uvarint length of what
// follows, one byte of kind, and by kind:
//
//	1 frame      the frame
//	2 state      the state record
//	3 watermark  uvarint position, uvarint the core's clock in Unix ms, uvarint
//	             the log's floor: records up to it are gone
//	4 marker     uvarint delta id, uvarint position, then 8 bytes for each key
//	             of the delta that has, or may have, records in (since, position]
//	5 gap        uvarint position: records up to it are gone, then 8 bytes for
//	             each interest that had, or may have had, some of those that were
//	             not sent
//	6 behind     uvarint position where the log ends, before the one that it was
//	             opened after: the last record of its stream
//	7 elsewhere  uvarint position up to which the stream is complete: the upstream
//	             does not have the log, or not from where it was opened, or not any
//	             more: the last record of its stream
const (
	kindMarker    tail.Kind = 4
	kindGap       tail.Kind = 5
	kindBehind    tail.Kind = 6
	kindElsewhere tail.Kind = 7
)

// Marker answers an Interest delta on the log's own stream: from Seq on, the
// delta's additions are live. Moved are those that may have records between
// the delta's since and Seq: a fill brings them.
type Marker struct {
	ID    uint64
	Seq   wire.Seq
	Moved []wire.Key
}

// StampWatermark is the watermark record of a log whose end is seq, and of which
// everything up to floor is gone.
func StampWatermark(seq, floor wire.Seq, now time.Time) tail.Record {
	b := binary.AppendUvarint(nil, uint64(seq))
	b = binary.AppendUvarint(b, uint64(now.UnixMilli()))
	return tail.Record{Seq: seq, Kind: tail.Watermark, Bytes: binary.AppendUvarint(b, uint64(floor))}
}

// WatermarkFloor is the floor of a watermark.
func WatermarkFloor(r *tail.Record) (wire.Seq, error) {
	var seq, clock, floor uint64
	_, err := numbers(r.Bytes, &seq, &clock, &floor)
	return wire.Seq(floor), err
}

func appendRecord(dst []byte, kind tail.Kind, b []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(b)+1))
	return append(append(dst, byte(kind)), b...)
}

func appendMarker(dst []byte, m Marker) []byte {
	b := binary.AppendUvarint(nil, m.ID)
	b = binary.AppendUvarint(b, uint64(m.Seq))
	return appendRecord(dst, kindMarker, appendKeys(b, m.Moved))
}

func appendGap(dst []byte, floor wire.Seq, lost []wire.Key) []byte {
	return appendRecord(dst, kindGap, appendKeys(binary.AppendUvarint(nil, uint64(floor)), lost))
}

func appendBehind(dst []byte, end wire.Seq) []byte {
	return appendRecord(dst, kindBehind, binary.AppendUvarint(nil, uint64(end)))
}

func appendElsewhere(dst []byte, pos wire.Seq) []byte {
	return appendRecord(dst, kindElsewhere, binary.AppendUvarint(nil, uint64(pos)))
}

func parseGap(b []byte) (floor wire.Seq, lost []wire.Key, err error) {
	var seq uint64
	if b, err = numbers(b, &seq); err != nil {
		return 0, nil, err
	}
	lost, err = parseKeys(b)
	return wire.Seq(seq), lost, err
}

func appendKeys(dst []byte, keys []wire.Key) []byte {
	for _, k := range keys {
		dst = binary.BigEndian.AppendUint64(dst, uint64(k))
	}
	return dst
}

func parseKeys(b []byte) ([]wire.Key, error) {
	if len(b)%8 != 0 {
		return nil, fmt.Errorf("%w: a list of interests of odd size", ErrProtocol)
	}
	var keys []wire.Key
	for ; len(b) > 0; b = b[8:] {
		keys = append(keys, wire.Key(binary.BigEndian.Uint64(b)))
	}
	return keys, nil
}

// readRecord reads one record; its bytes are the caller's. It grows its buffer
// with what arrives.
func readRecord(r *bufio.Reader) (tail.Kind, []byte, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return 0, nil, err
	}
	if n < 1 || n > maxRecord {
		return 0, nil, fmt.Errorf("%w: a record of %d bytes", ErrProtocol, n)
	}
	b, err := readBytes(r, int(n), nil)
	if err != nil {
		return 0, nil, err
	}
	return tail.Kind(b[0]), b[1:], nil
}

// numbers reads len(out) uvarints at the start of b and returns the rest.
func numbers(b []byte, out ...*uint64) ([]byte, error) {
	for _, p := range out {
		u, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, fmt.Errorf("%w: a record that ends early", ErrProtocol)
		}
		*p, b = u, b[n:]
	}
	return b, nil
}

// position is the number that a record begins with.
func position(b []byte) (wire.Seq, error) {
	var seq uint64
	_, err := numbers(b, &seq)
	return wire.Seq(seq), err
}

func parseMarker(b []byte) (Marker, error) {
	var id, seq uint64
	b, err := numbers(b, &id, &seq)
	if err != nil {
		return Marker{}, err
	}
	moved, err := parseKeys(b)
	return Marker{ID: id, Seq: wire.Seq(seq), Moved: moved}, err
}
