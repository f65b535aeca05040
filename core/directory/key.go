package directory

import (
	"encoding/binary"
	"errors"

	"selvedge/wire"
)

// Keys of the store. Ids hold no control characters, so 0x00 ends an id without
// doubt and the order of keys is the order of ids.
//
//	\x00applied            8 bytes: the last state position applied
//	\x00epoch              format and epoch of the log that was applied
//	u<user>                V, version, data of a user's document
//	U<user>                V, version of its tombstone
//	r<room>, R<room>       the same of a room
//	m<room>\x00<user>      V, From of a membership
//	M<room>\x00<user>      V of its tombstone
//	j<user>\x00<room>      V, From again, to page by user
//	v<user>                V of the user's last join or leave
//	c<room>                number of members
//
// Tombstones stand apart from what lives, so that a page never wades through
// them. They are kept as long as the log keeps them: their V is what the next
// record of the key must name.
const (
	liveUser    = 'u'
	deadUser    = 'U'
	liveRoom    = 'r'
	deadRoom    = 'R'
	liveMember  = 'm'
	deadMember  = 'M'
	joined      = 'j'
	roomsV      = 'v'
	memberCount = 'c'
)

const (
	appliedKey = "\x00applied"
	epochKey   = "\x00epoch"
	// format stands before the epoch: a store in another format is as good as one
	// of another epoch.
	format = "2 "
)

var errBadValue = errors.New("a value that this program did not write")

func oneKey(kind byte, id string) []byte {
	return append(append(make([]byte, 0, 1+len(id)), kind), id...)
}

func twoKey(kind byte, first, second string) []byte {
	return appendTwoKey(make([]byte, 0, 2+len(first)+len(second)), kind, first, second)
}

func appendTwoKey(dst []byte, kind byte, first, second string) []byte {
	dst = append(append(dst, kind), first...)
	return append(append(dst, 0), second...)
}

// docKinds are the key kinds of living and deleted documents.
func docKinds(kind wire.StateKind) (live, dead byte) {
	if kind == wire.StateUser {
		return liveUser, deadUser
	}
	return liveRoom, deadRoom
}

func appendNumbers(dst []byte, numbers ...uint64) []byte {
	for _, n := range numbers {
		dst = binary.AppendUvarint(dst, n)
	}
	return dst
}

// takeNumbers reads n numbers and returns what follows them.
func takeNumbers(b []byte, numbers ...*uint64) ([]byte, error) {
	for _, n := range numbers {
		v, size := binary.Uvarint(b)
		if size <= 0 {
			return nil, errBadValue
		}
		*n, b = v, b[size:]
	}
	return b, nil
}
