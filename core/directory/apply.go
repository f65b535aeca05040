package directory

import (
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"selvedge/wire"
)

// batch gathers records of the state log into one write to the store. What it
// has itself changed about memberships it keeps at hand, because the store does
// not show it yet.
type batch struct {
	db      *pebble.DB
	to      *pebble.Batch
	members map[string]bool // by live membership key: does it exist now?
	counts  map[wire.RoomID]roomCount
	value   []byte // scratch
}

// roomCount is how many members a room has now.
type roomCount struct {
	members int
	moved   bool // by the batch
}

func newBatch() *batch {
	return &batch{members: make(map[string]bool), counts: make(map[wire.RoomID]roomCount)}
}

func (b *batch) begin(db *pebble.DB) { b.db, b.to = db, db.NewBatch() }

func (b *batch) end() {
	_ = b.to.Close() // it only gives memory back
	b.db, b.to = nil, nil
	clear(b.members)
	clear(b.counts)
}

func (b *batch) set(key, value []byte) error { return b.to.Set(key, value, nil) }
func (b *batch) delete(key []byte) error     { return b.to.Delete(key, nil) }

func (b *batch) add(r *wire.StateRecord) error {
	if err := r.Check(); err != nil {
		return err
	}
	switch r.Kind {
	case wire.StateUser:
		return b.document(string(r.User), r)
	case wire.StateRoom:
		return b.document(string(r.Room), r)
	case wire.StateMember:
		return b.membership(r)
	}
	return nil // Check knows no other kind
}

func (b *batch) document(id string, r *wire.StateRecord) error {
	liveKind, deadKind := docKinds(r.Kind)
	live, dead := oneKey(liveKind, id), oneKey(deadKind, id)
	b.value = appendNumbers(b.value[:0], uint64(r.V), r.Version)
	if r.Deleted {
		return errors.Join(b.delete(live), b.set(dead, b.value))
	}
	b.value = append(b.value, r.Data...)
	return errors.Join(b.set(live, b.value), b.delete(dead))
}

func (b *batch) membership(r *wire.StateRecord) error {
	live := twoKey(liveMember, string(r.Room), string(r.User))
	dead := twoKey(deadMember, string(r.Room), string(r.User))
	byUser := twoKey(joined, string(r.User), string(r.Room))
	was, known := b.members[string(live)]
	if !known {
		var err error
		if was, err = exists(b.db, live); err != nil {
			return err
		}
	}
	by := 0
	switch {
	case was && r.Deleted:
		by = -1
	case !was && !r.Deleted:
		by = 1
	}
	n, err := b.count(r.Room, by)
	if err != nil {
		return err
	}
	r.MemberCount = n
	b.members[string(live)] = !r.Deleted
	b.value = appendNumbers(b.value[:0], uint64(r.V))
	if err := b.set(oneKey(roomsV, string(r.User)), b.value); err != nil {
		return err
	}
	if r.Deleted {
		return errors.Join(b.delete(live), b.delete(byUser), b.set(dead, b.value))
	}
	b.value = appendNumbers(b.value[:0], uint64(r.V), uint64(r.From))
	return errors.Join(b.set(live, b.value), b.set(byUser, b.value), b.delete(dead))
}

// count moves a room's member count by -1, 0 or 1, and returns it.
func (b *batch) count(room wire.RoomID, by int) (int, error) {
	c, known := b.counts[room]
	if !known {
		was, err := readCount(b.db, oneKey(memberCount, string(room)))
		if err != nil {
			return 0, err
		}
		c.members = int(was)
	}
	c.members += by
	c.moved = c.moved || by != 0
	b.counts[room] = c
	return c.members, nil
}

// setCounts writes the counts, each once: of a large room they move with each
// record.
func (b *batch) setCounts() error {
	for room, c := range b.counts {
		key := oneKey(memberCount, string(room))
		var err error
		switch {
		case !c.moved:
		case c.members == 0:
			err = b.delete(key)
		default:
			err = b.set(key, appendNumbers(b.value[:0], uint64(c.members)))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func exists(from pebble.Reader, key []byte) (bool, error) {
	_, closer, err := from.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, closer.Close()
}

func readCount(from pebble.Reader, key []byte) (uint64, error) {
	b, closer, err := from.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	var n uint64
	_, err = takeNumbers(b, &n)
	return n, errors.Join(err, closer.Close())
}
