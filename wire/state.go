package wire

import "fmt"

// StateKind says what a state record is about.
type StateKind string

// The kinds of state records.
const (
	StateUser   StateKind = "user"
	StateRoom   StateKind = "room"
	StateMember StateKind = "member"
)

// StateRecord is one record of the state log: a document, or a membership. The
// last record of each key is kept for ever; Deleted ones are its tombstones.
type StateRecord struct {
	Kind    StateKind `json:"k"`
	Room    RoomID    `json:"r,omitempty"` // room and member
	User    UserID    `json:"u,omitempty"` // user and member
	Deleted bool      `json:"d,omitempty"` // document deleted, or member left
	// Data and Version are a document and its caller's version (0 = none).
	Data    Data   `json:"data,omitempty"`
	Version uint64 `json:"n,omitempty"`
	// From is the end of the room's frame log when a join was accepted: the
	// member receives every frame after it (rule 7).
	From Seq `json:"f,omitempty"`
	// V is the record's position in the state log. The log assigns it; it is
	// not stored, but travels on links.
	V Seq `json:"v,omitempty"`
	// MemberCount is how many members a membership's room has after the record,
	// or after some that follow it. It is not stored either.
	MemberCount int `json:"c,omitempty"`
}

// Key names what the record is the last word about, as cursors and caches do.
func (r *StateRecord) Key() string {
	switch r.Kind {
	case StateUser:
		return "user:" + string(r.User)
	case StateRoom:
		return "room:" + string(r.Room)
	default:
		return "member:" + string(r.Room) + " " + string(r.User)
	}
}

// Interests are the keys whose holders want the record; unused ones are zero.
func (r *StateRecord) Interests() [2]Key {
	switch r.Kind {
	case StateUser:
		return [2]Key{UserKey(r.User)}
	case StateRoom:
		return [2]Key{RoomKey(r.Room)}
	case StateMember:
		return [2]Key{RoomsKey(r.User), MembersKey(r.Room)}
	}
	return [2]Key{}
}

// Check reports why r is no record.
func (r *StateRecord) Check() error {
	switch r.Kind {
	case StateUser:
		return CheckID(string(r.User))
	case StateRoom:
		return CheckID(string(r.Room))
	case StateMember:
		if err := CheckID(string(r.Room)); err != nil {
			return err
		}
		return CheckID(string(r.User))
	}
	return fmt.Errorf("%w: a state record of kind %q", ErrMalformed, clip(string(r.Kind)))
}
