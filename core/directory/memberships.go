package directory

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2"

	"selvedge/wire"
)

// memberships looks up the last records of memberships. Of many of one room it
// finds them with iterators, which hardly move where they are asked for in order
// of the users' ids. Others are read one by one, because filters say then what
// does not exist. Close it. Not safe for concurrent use.
type memberships struct {
	from pebble.Reader
	room wire.RoomID // of the one looked up before
	row  int         // how many have been looked up of it, without another between

	live, dead *cursor // nil until there are many of a room
	key        []byte  // scratch
}

// manyOfARoom is how many lookups of one room pay for the iterators.
const manyOfARoom = 8

// joined is the position of a membership's record; false = there is none now.
func (s *memberships) joined(m member) (wire.Seq, bool, error) {
	if m.room != s.room {
		s.room, s.row = m.room, 0
	}
	s.row++
	return s.find(&s.live, liveMember, m)
}

// left is the position of a membership's tombstone. It is for what joined was
// asked for right before.
func (s *memberships) left(m member) (wire.Seq, bool, error) {
	return s.find(&s.dead, deadMember, m)
}

// cheap reports whether left costs next to nothing now.
func (s *memberships) cheap() bool { return s.row > manyOfARoom }

func (s *memberships) find(c **cursor, kind byte, m member) (v wire.Seq, ok bool, err error) {
	s.key = appendTwoKey(s.key[:0], kind, string(m.room), string(m.user))
	defer func() {
		if err != nil {
			err = fmt.Errorf("directory: read %q: %w", printable(s.key), err)
		}
	}()
	var value []byte
	if s.cheap() {
		if *c == nil {
			it, err := s.from.NewIter(nil)
			if err != nil {
				return 0, false, err
			}
			*c = &cursor{it: it}
		}
		value, ok, err = (*c).find(s.key)
	} else {
		var closer io.Closer
		if value, closer, err = s.from.Get(s.key); err == nil {
			ok = true
			defer func() { err = errors.Join(err, closer.Close()) }()
		} else if errors.Is(err, pebble.ErrNotFound) {
			err = nil
		}
	}
	if err != nil || !ok {
		return 0, false, err
	}
	var n uint64
	_, err = takeNumbers(value, &n)
	return wire.Seq(n), err == nil, err
}

// close ends it; it may begin anew then, with another from.
func (s *memberships) close() error {
	var err error
	for _, c := range []*cursor{s.live, s.dead} {
		if c != nil {
			err = errors.Join(err, c.it.Close())
		}
	}
	*s = memberships{key: s.key}
	return err
}

// cursor is an iterator that is asked for keys, best in their order.
type cursor struct {
	it *pebble.Iterator
	// from is what it was last moved to: it stands at the first key there is from
	// it on. Empty = it was not moved yet.
	from []byte
}

// find is the value of key, valid until the next call. It need not move for what
// lies between from and where it stands.
func (c *cursor) find(key []byte) (value []byte, ok bool, err error) {
	if len(c.from) == 0 || bytes.Compare(key, c.from) < 0 || c.it.Valid() && bytes.Compare(c.it.Key(), key) < 0 {
		c.it.SeekGE(key)
		c.from = append(c.from[:0], key...)
	}
	if !c.it.Valid() || !bytes.Equal(c.it.Key(), key) {
		return nil, false, c.it.Error()
	}
	value, err = c.it.ValueAndErr()
	return value, err == nil, err
}
