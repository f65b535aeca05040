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
	TRefresh     = "refresh"
	TPing        = "ping"
)

// Types of messages that an edge sends, beside TSignal.
const (
	TWelcome = "welcome"
	TMessage = "message"
	TJoined  = "joined"
	TLeft    = "left"
	TLive    = "live"
	TCursor  = "cursor"
	TGap     = "gap"
	TReply   = "reply"
	TError   = "error"
	TGoaway  = "goaway"
	TPong    = "pong"
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
	Client string    `json:"client,omitempty"`

	Since *Seq `json:"since,omitempty"` // subscribe

	// publish, signal
	Data  Data     `json:"data,omitempty"`
	MsgID string   `json:"msg_id,omitempty"`
	Refs  []string `json:"refs,omitempty"`

	Objects []string `json:"objects,omitempty"` // get
	Room    RoomID   `json:"room,omitempty"`    // members

	// members and rooms page by id, history by position
	After  Data `json:"after,omitempty"`
	Before *Seq `json:"before,omitempty"`
	Limit  int  `json:"limit,omitempty"`
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
