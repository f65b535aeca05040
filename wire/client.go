package wire

import (
	"errors"
	"fmt"
)

// Types of messages that a client sends.
const (
	THello       = "hello"
	TSubscribe   = "subscribe"
	TUnsubscribe = "unsubscribe"
	TPublish     = "publish"
	TSignal      = "signal"
	TGet         = "get"
	TMembers     = "members"
	TRooms       = "rooms"
	THistory     = "history"
	TSearch      = "search"
	TUnwatch     = "unwatch"
	TFocus       = "focus"
	TRefresh     = "refresh"
	TPing        = "ping"
)

// Types of messages that an edge sends, beside TSignal.
const (
	TWelcome  = "welcome"
	TMessage  = "message"
	TJoined   = "joined"
	TLeft     = "left"
	TLive     = "live"
	TObject   = "object"
	TCursor   = "cursor"
	TActivity = "activity"
	TGap      = "gap"
	TReply    = "reply"
	TError    = "error"
	TGoaway   = "goaway"
	TPong     = "pong"
)

// ClientMessage is any message of a client: T says which fields matter.
type ClientMessage struct {
	T  string  `json:"t"`
	ID uint64  `json:"id,omitempty"` // the request's number; the answer carries it
	Ch Channel `json:"ch,omitempty"`

	// hello, refresh
	Token  string    `json:"token,omitempty"`
	Resume *Cursor   `json:"resume,omitempty"`
	Topics []Channel `json:"topics,omitempty"`
	// Focus are the rooms on screen, as Rooms has them.
	Focus  Data   `json:"focus,omitempty"`
	Client string `json:"client,omitempty"`

	Since *Seq `json:"since,omitempty"` // subscribe

	// publish, signal
	Data  Data     `json:"data,omitempty"`
	MsgID string   `json:"msg_id,omitempty"`
	Refs  []string `json:"refs,omitempty"`

	Objects []string `json:"objects,omitempty"` // get, unwatch
	Watch   bool     `json:"watch,omitempty"`   // get
	Room    RoomID   `json:"room,omitempty"`    // members, search
	Prefix  string   `json:"prefix,omitempty"`  // search
	// Rooms are focus's, see RoomList.
	Rooms Data `json:"rooms,omitempty"`

	// members and rooms page by id, history by position
	After  Data `json:"after,omitempty"`
	Before *Seq `json:"before,omitempty"`
	Limit  int  `json:"limit,omitempty"`
}

// MaxFocus is the largest number of rooms that have the focus of a session.
const MaxFocus = 100

// RoomList is a list of rooms that may be null: all is then set, and means that
// frames come of all rooms. Absent is null.
func RoomList(d Data) (rooms []RoomID, all bool, err error) {
	if !d.IsSet() {
		return nil, true, nil
	}
	ids, err := texts(d)
	if err != nil || len(ids) > MaxFocus {
		return nil, false, &FieldError{Field: "rooms", Err: fmt.Errorf("expected null, or at most %d ids", MaxFocus)}
	}
	rooms = make([]RoomID, len(ids))
	for i, id := range ids {
		if err := CheckID(id); err != nil {
			return nil, false, &FieldError{Field: "rooms", Err: err}
		}
		rooms[i] = RoomID(id)
	}
	return rooms, false, nil
}

// AfterID is After as an id; absent is "".
func (m *ClientMessage) AfterID() (string, error) {
	if !m.After.IsSet() {
		return "", nil
	}
	s, err := text[string](m.After)
	if err != nil {
		return "", &FieldError{Field: "after", Err: errors.New("expected an id")}
	}
	return s, nil
}

// AfterSeq is After as a position; absent is nil.
func (m *ClientMessage) AfterSeq() (*Seq, error) {
	if !m.After.IsSet() {
		return nil, nil
	}
	u, err := number(m.After)
	if err != nil {
		return nil, &FieldError{Field: "after", Err: errors.New("expected a position")}
	}
	s := Seq(u)
	return &s, nil
}

// ParseClientMessage reads one message of a stranger, of at most
// MaxClientMessage bytes.
func ParseClientMessage(c Codec, b []byte) (*ClientMessage, error) {
	if len(b) > MaxClientMessage {
		return nil, fmt.Errorf("%w: a message of %d bytes, at most %d are allowed", ErrTooLarge, len(b), MaxClientMessage)
	}
	m := new(ClientMessage)
	if err := c.Decode(b, m); err != nil {
		return nil, err
	}
	if m.T == "" {
		return nil, &FieldError{Field: "t", Err: errors.New("missing: a message says what it is")}
	}
	return m, nil
}
