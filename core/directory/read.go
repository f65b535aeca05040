package directory

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"selvedge/wire"
)

// Doc is a user's or room's document.
type Doc struct {
	V       wire.Seq // position of its record in the state log
	Version uint64   // the caller's
	Data    wire.Data
}

// RoomDoc is a room's document with the number of its members.
type RoomDoc struct {
	Doc
	MemberCount int
}

// UserItem is a user in a page of users.
type UserItem struct {
	ID wire.UserID
	Doc
}

// RoomItem is a room in a page of rooms.
type RoomItem struct {
	ID wire.RoomID
	RoomDoc
}

// pageBytes bounds the documents of one page: fewer items come, and a next.
const pageBytes = 8 << 20

// Reader is a consistent snapshot of the view, valid within View.Read. What it
// returns may be kept. Not safe for concurrent use.
type Reader struct {
	from    *pebble.Snapshot
	applied wire.Seq
	past    memberships
}

// Read calls fn with a snapshot of the view. fn should be brief, and must not
// call Read or Close. Safe for concurrent use.
func (v *View) Read(fn func(*Reader) error) (err error) {
	v.open.RLock()
	defer v.open.RUnlock()
	if v.closed {
		return ErrClosed
	}
	snapshot := v.db.NewSnapshot()
	defer func() { err = errors.Join(err, snapshot.Close()) }()
	applied, err := readApplied(snapshot)
	if err != nil {
		return fmt.Errorf("directory: read: %w", err)
	}
	r := &Reader{from: snapshot, applied: applied, past: memberships{from: snapshot}}
	defer func() { err = errors.Join(err, r.past.close()) }()
	return fn(r)
}

// Applied is the state position that the snapshot shows.
func (r *Reader) Applied() wire.Seq { return r.applied }

// User is a user's document; false = there is none.
func (r *Reader) User(id wire.UserID) (Doc, bool, error) {
	return r.doc(liveUser, string(id))
}

// Room is a room's document; false = there is none.
func (r *Reader) Room(id wire.RoomID) (RoomDoc, bool, error) {
	doc, ok, err := r.doc(liveRoom, string(id))
	if err != nil || !ok {
		return RoomDoc{}, false, err
	}
	n, err := readCount(r.from, oneKey(memberCount, string(id)))
	return RoomDoc{Doc: doc, MemberCount: int(n)}, err == nil, err
}

// Membership is a user's membership of a room; false = none.
func (r *Reader) Membership(room wire.RoomID, user wire.UserID) (wire.Membership, bool, error) {
	value, ok, err := r.get(twoKey(liveMember, string(room), string(user)))
	if err != nil || !ok {
		return wire.Membership{}, false, err
	}
	m, err := membership(string(room), value)
	return m, err == nil, err
}

// Members is a page of a room's members, in order of their ids, after the one
// named ("" = from the first). next = what to pass as after for the next page,
// "" = there is none.
func (r *Reader) Members(room wire.RoomID, after wire.UserID, limit int) (_ []wire.UserID, next string, _ error) {
	page := make([]wire.UserID, 0, min(limit, wire.MaxPage))
	next, err := r.page(twoKey(liveMember, string(room), ""), string(after), limit, pageBytes, func(id string, _ []byte) (int, error) {
		page = append(page, wire.UserID(id))
		return 0, nil
	})
	return page, next, err
}

// RoomsOf is a page of the memberships of a user, in order of the rooms' ids,
// like Members.
func (r *Reader) RoomsOf(user wire.UserID, after wire.RoomID, limit int) (_ []wire.Membership, next string, _ error) {
	page := make([]wire.Membership, 0, min(limit, wire.MaxPage))
	next, err := r.page(twoKey(joined, string(user), ""), string(after), limit, pageBytes, func(id string, value []byte) (int, error) {
		m, err := membership(id, value)
		page = append(page, m)
		return 0, err
	})
	return page, next, err
}

// Users is a page of all users that have a document, like Members. Large
// documents make it shorter than limit.
func (r *Reader) Users(after wire.UserID, limit int) (_ []UserItem, next string, _ error) {
	var page []UserItem
	next, err := r.page([]byte{liveUser}, string(after), limit, pageBytes, func(id string, value []byte) (int, error) {
		doc, err := parseDoc(value)
		page = append(page, UserItem{ID: wire.UserID(id), Doc: doc})
		return len(value), err
	})
	return page, next, err
}

// Rooms is a page of all rooms, like Users.
func (r *Reader) Rooms(after wire.RoomID, limit int) (_ []RoomItem, next string, _ error) {
	var page []RoomItem
	next, err := r.page([]byte{liveRoom}, string(after), limit, pageBytes, func(id string, value []byte) (int, error) {
		doc, err := parseDoc(value)
		if err != nil {
			return 0, err
		}
		n, err := readCount(r.from, oneKey(memberCount, id))
		page = append(page, RoomItem{ID: wire.RoomID(id), RoomDoc: RoomDoc{Doc: doc, MemberCount: int(n)}})
		return len(value), err
	})
	return page, next, err
}

// page calls each for up to limit keys of prefix behind after, and for no more
// when what it says of their size exceeds room. What each gets of a value is valid
// during the call; id may be kept.
func (r *Reader) page(prefix []byte, after string, limit, room int, each func(id string, value []byte) (size int, err error)) (next string, err error) {
	lower := append(slices.Clip(prefix), after...)
	if after != "" {
		lower = append(lower, 0) // the first key behind after
	}
	upper := append([]byte(nil), prefix...)
	upper[len(upper)-1]++
	it, err := r.from.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return "", fmt.Errorf("directory: read: %w", err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	n, size, last := 0, 0, ""
	for ok := it.First(); ok; ok = it.Next() {
		if n >= limit || size > room {
			return last, nil
		}
		last = string(it.Key()[len(prefix):])
		value, err := it.ValueAndErr()
		grown := 0
		if err == nil {
			grown, err = each(last, value)
		}
		if err != nil {
			return "", fmt.Errorf("directory: read %q: %w", last, err)
		}
		n++
		size += grown
	}
	return "", it.Error()
}

// doc is the document of kind (liveUser or liveRoom).
func (r *Reader) doc(kind byte, id string) (Doc, bool, error) {
	value, ok, err := r.get(oneKey(kind, id))
	if err != nil || !ok {
		return Doc{}, false, err
	}
	doc, err := parseDoc(value)
	return doc, err == nil, err
}

// get is a copy of a value.
func (r *Reader) get(key []byte) ([]byte, bool, error) {
	b, closer, err := r.from.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("directory: read %q: %w", printable(key), err)
	}
	value := append([]byte(nil), b...)
	return value, true, closer.Close()
}

// parseDoc copies what it needs of value.
func parseDoc(value []byte) (Doc, error) {
	var v, version uint64
	data, err := takeNumbers(value, &v, &version)
	if err != nil {
		return Doc{}, err
	}
	return Doc{V: wire.Seq(v), Version: version, Data: append(wire.Data(nil), data...)}, nil
}

func membership(room string, value []byte) (wire.Membership, error) {
	var v, from uint64
	_, err := takeNumbers(value, &v, &from)
	return wire.Membership{Room: wire.RoomID(room), V: wire.Seq(v), From: wire.Seq(from)}, err
}

func printable(key []byte) string { return strings.ReplaceAll(string(key), "\x00", " ") }
