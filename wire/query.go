package wire

import (
	"bytes"
	"slices"
)

// Queries are what an edge asks its upstream, one short stream each.

// QueryKind says what is asked.
type QueryKind string

// The kinds of queries.
const (
	QHello   QueryKind = "hello"   // users' documents, memberships and first rooms
	QFill    QueryKind = "fill"    // frames of channels after positions
	QHistory QueryKind = "history" // one page of one channel
	QMembers QueryKind = "members" // one page of a room's members
	QRooms   QueryKind = "rooms"   // one page of a user's rooms
	QGet     QueryKind = "get"     // documents, whoever may see them: the edge knows
	QShares  QueryKind = "shares"  // for each of some users, a room that they share with one; or Room if they are in it
	QRoster  QueryKind = "roster"  // one page of a room's members, with their names
	QRoom    QueryKind = "room"    // one room as its members are told of it
	QPublish QueryKind = "publish" // a client's publish
	QHot     QueryKind = "hot"     // of an edge: the keys of the documents that were used last, at most Limit
)

// Query is one question. T says which fields matter.
type Query struct {
	T QueryKind `json:"t"`
	// Marker is the asker's last interest delta on log P: the answer is not
	// older than its marker (rule 8). 0 = none.
	P      LogID  `json:"p,omitempty"`
	Marker uint64 `json:"marker,omitempty"`
	// V is a position of the state log, or for history of the channel's log: the
	// answer is not older. 0 = none.
	V Seq `json:"v,omitempty"`

	User   UserID    `json:"user,omitempty"`
	Users  []UserID  `json:"users,omitempty"` // hello: at most MaxHellos; shares: at most MaxPage
	Room   RoomID    `json:"room,omitempty"`
	Ch     Channel   `json:"ch,omitempty"`
	Chs    []Channel `json:"chs,omitempty"`    // fill
	Afters []Seq     `json:"afters,omitempty"` // fill: one per channel
	Uptos  []Seq     `json:"uptos,omitempty"`  // fill: one per channel
	Oldest bool      `json:"oldest,omitempty"` // fill: the oldest frames first, see Fill
	Bytes  int       `json:"bytes,omitempty"`  // fill: of each channel, about; 0 = as many as fit
	Keys   []string  `json:"keys,omitempty"`   // get: "user:1", "room:x"

	AfterID string `json:"after_id,omitempty"`
	After   *Seq   `json:"after,omitempty"`
	Before  *Seq   `json:"before,omitempty"`
	Limit   int    `json:"limit,omitempty"`

	From  string   `json:"from,omitempty"` // publish
	MsgID string   `json:"msg_id,omitempty"`
	Refs  []string `json:"refs,omitempty"`
	Data  Data     `json:"data,omitempty"`

	// Space, if not nil, is asked for memory when an answer of n bytes comes: it is
	// used if its capacity is enough, for as long as what aliases it is (see
	// ParseAnswer). It isn't sent.
	Space func(n int) []byte `json:"-"`
}

// Membership is one room of a user, as an edge holds it.
type Membership struct {
	Room RoomID `json:"r"`
	From Seq    `json:"f"` // its member gets every frame after it
	V    Seq    `json:"v"` // position of the join in the state log
}

// Answer answers a Query; which fields are set depends on its kind.
type Answer struct {
	Err *Error `json:"err,omitempty"` // everything else is then unset

	V           Seq               `json:"v,omitempty"` // state position that it was read at
	Rooms       []RoomInfo        `json:"rooms,omitempty"`
	Next        string            `json:"next,omitempty"`
	Members     []UserID          `json:"members,omitempty"`
	MemberCount int               `json:"member_count,omitempty"`
	Objects     map[string]Object `json:"objects,omitempty"`
	Missing     []string          `json:"missing,omitempty"`
	Keys        []string          `json:"keys,omitempty"`
	// Shared are the rooms of QShares, one for each user: that with the most
	// members, "" = none.
	Shared []RoomID `json:"shared,omitempty"`
	// Names belong to Members, of QRoster.
	Names []Name `json:"names,omitempty"`

	Fills  []Fill `json:"fills,omitempty"`
	Frames []Data `json:"frames,omitempty"`
	Floor  Seq    `json:"floor,omitempty"`
	Last   Seq    `json:"last,omitempty"`
	// Oldest, of history: Floor holds as long as the log's floor is below it; 0 =
	// not known.
	Oldest Seq `json:"oldest,omitempty"`

	P     LogID  `json:"p,omitempty"`
	Seq   Seq    `json:"seq,omitempty"`
	Epoch string `json:"epoch,omitempty"`

	// Hellos are for ParseHellos: one per user in the order asked. They may be
	// fewer than were asked for, but one at least: ask again for the rest. The
	// last field, as ParseAnswer likes it.
	Hellos Data `json:"hellos,omitempty"`
}

// ParseAnswer reads the answer to a query of kind t. It is Msgpack.Decode, but
// that the Hellos of a QHello alias b and were not checked: ParseHellos does.
func ParseAnswer(t QueryKind, b []byte) (*Answer, error) {
	a := new(Answer)
	if t == QHello {
		b, a.Hellos = cutHellos(b)
	}
	if err := Msgpack.Decode(b, a); err != nil {
		return nil, err
	}
	return a, nil
}

// cutHellos takes the hellos out of an answer if they are its last entry, as
// they are in what Msgpack.Append makes. What else is there is copied.
func cutHellos(b []byte) (rest []byte, hellos Data) {
	h, err := scanHead(b)
	if err != nil || h.kind != kindMap || h.size != 1 || h.n == 0 {
		return b, nil
	}
	at := h.size
	for range h.n - 1 {
		for range 2 { // key and value
			n, err := skip(b[at:], 1)
			if err != nil {
				return b, nil
			}
			at += n
		}
	}
	key := appendString(nil, "hellos")
	if !bytes.HasPrefix(b[at:], key) {
		return b, nil
	}
	rest = slices.Clone(b[:at])
	rest[0]--
	return rest, Data(b[at+len(key):])
}

// Name is what a search looks at of a user's document.
type Name struct {
	V    Seq    `json:"v,omitempty"` // the document's position, 0 = there is none
	Name string `json:"n,omitempty"` // its data.name, at most MaxName bytes of it
}

// MaxName is how much of a name is looked at by a search, in bytes.
const MaxName = 128

// MaxRoster is the largest page of QRoster, in members. It takes about 1 MiB.
const MaxRoster = 20_000

// Fill is a part of a channel: all its frames in (Floor, Upto], oldest first.
//
// Newest first, as most are asked for: Upto is what was asked for, and Floor may
// be above: ask again for what is below.
//
// Oldest first (Query.Oldest): Floor is what was asked for, unless frames are
// gone, and Upto may be below: with More, ask again for what is after it.
//
// Gone, if not zero, is the channel's last frame that is gone, above what was
// asked for: Floor is there, and nothing is to be had below.
type Fill struct {
	Ch     Channel `json:"ch"`
	Floor  Seq     `json:"floor"`
	Upto   Seq     `json:"upto"`
	Gone   Seq     `json:"gone,omitempty"`
	More   bool    `json:"more,omitempty"`
	Frames []Data  `json:"frames,omitempty"`
}
