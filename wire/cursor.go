package wire

import (
	"errors"
	"fmt"
	"strconv"
)

// At is a position per frame log; its keys are the logs' numbers as strings in
// both codecs.
type At map[string]Seq

// AtOf is the At of positions by log.
func AtOf(positions []Seq) At {
	at := make(At, len(positions))
	for p, s := range positions {
		at[strconv.Itoa(p)] = s
	}
	return at
}

// ErrBadCursor: a cursor is not one that an edge gave out.
var ErrBadCursor = errors.New("bad cursor")

// Positions is at by log number; it fails unless at names each of the logs
// and no other.
func (at At) Positions(logs int) ([]Seq, error) {
	out := make([]Seq, logs)
	for p := range out {
		s, ok := at[strconv.Itoa(p)]
		if !ok {
			return nil, fmt.Errorf("%w: it lacks log %d", ErrBadCursor, p)
		}
		out[p] = s
	}
	if len(at) != logs {
		return nil, fmt.Errorf("%w: it names %d logs, the cluster has %d", ErrBadCursor, len(at), logs)
	}
	return out, nil
}

// Cursor is all that a reader needs to resume, however many rooms it is in.
type Cursor struct {
	Epoch  string          `json:"epoch"`
	At     At              `json:"at"`
	Behind map[Channel]Seq `json:"behind,omitempty"` // channels whose position is their own
	V      Seq             `json:"v"`                // state position of the memberships seen
}

// String is the log's number as cursors name it.
func (p LogID) String() string { return strconv.Itoa(int(p)) }
