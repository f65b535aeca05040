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
	past    memberships     // before the batch
	members map[member]bool // what the batch changed: does it exist now?
	counts  map[wire.RoomID]roomCount
	key     []byte // scratch
	value   []byte // scratch
}

// roomCount is how many members a room has now.
type roomCount struct {
	members int
	moved   bool // by the batch
}

func newBatch() *batch {
	return &batch{members: make(map[member]bool), counts: make(map[wire.RoomID]roomCount)}
}

func (b *batch) begin(db *pebble.DB) { b.db, b.to, b.past.from = db, db.NewBatch(), db }

func (b *batch) end() error {
	_ = b.to.Close() // it only gives memory back
	err := b.past.close()
	b.db, b.to = nil, nil
	clear(b.members)
	clear(b.counts)
	return err
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
	m := member{r.Room, r.User}
	was, tombstone, err := b.was(m)
	if err != nil {
		return err
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
	b.members[m] = !r.Deleted
	b.value = appendNumbers(b.value[:0], uint64(r.V))
	if err := b.set(b.one(roomsV, string(r.User)), b.value); err != nil {
		return err
	}
	if r.Deleted {
		return errors.Join(b.delete(b.live(m)), b.delete(b.byUser(m)), b.set(b.dead(m), b.value))
	}
	b.value = appendNumbers(b.value[:0], uint64(r.V), uint64(r.From))
	err = errors.Join(b.set(b.live(m), b.value), b.set(b.byUser(m), b.value))
	if tombstone {
		err = errors.Join(err, b.delete(b.dead(m)))
	}
	return err
}

// was reports whether a membership exists, and whether it may have a tombstone.
func (b *batch) was(m member) (exists, tombstone bool, err error) {
	if exists, known := b.members[m]; known {
		return exists, true, nil
	}
	_, exists, err = b.past.joined(m)
	if tombstone = !exists; tombstone && err == nil && b.past.cheap() {
		_, tombstone, err = b.past.left(m)
	}
	return exists, tombstone, err
}

// The keys of a membership are valid until the next one is asked for.

func (b *batch) live(m member) []byte   { return b.two(liveMember, string(m.room), string(m.user)) }
func (b *batch) dead(m member) []byte   { return b.two(deadMember, string(m.room), string(m.user)) }
func (b *batch) byUser(m member) []byte { return b.two(joined, string(m.user), string(m.room)) }

func (b *batch) one(kind byte, id string) []byte {
	b.key = append(append(b.key[:0], kind), id...)
	return b.key
}

func (b *batch) two(kind byte, first, second string) []byte {
	b.key = appendTwoKey(b.key[:0], kind, first, second)
	return b.key
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
