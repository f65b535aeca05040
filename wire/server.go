package wire

// Object is a user's or room's document with its version, the position of its
// last record in the state log.
type Object struct {
	V    Seq  `json:"v"`
	Data Data `json:"data"`
}

// UserInfo is a user as a welcome and the answer to a search tell of it.
type UserInfo struct {
	ID   UserID `json:"id"`
	V    Seq    `json:"v"`
	Data Data   `json:"data"`
}

// RoomInfo is a room as its members are told of it.
type RoomInfo struct {
	ID          RoomID `json:"id"`
	P           LogID  `json:"p"`
	Seq         Seq    `json:"seq"` // its last frame known, 0 = none
	MemberCount int    `json:"member_count"`
	V           Seq    `json:"v"`
	// TS is the time of the last frame, Unix ms; 0 = there is none.
	TS   int64 `json:"ts,omitempty"`
	Data Data  `json:"data"`
}

// EdgeInfo says which edge serves a session.
type EdgeInfo struct {
	ID     string `json:"id"`
	Region string `json:"region"`
}

// Welcome answers hello, once per session.
type Welcome struct {
	T       string     `json:"t"`
	Session string     `json:"session"`
	User    UserInfo   `json:"user"`
	Rooms   []RoomInfo `json:"rooms"` // the first 100, most recently active first
	More    bool       `json:"more,omitempty"`
	RoomsV  Seq        `json:"rooms_v"` // state position of the user's memberships
	Cursor  Cursor     `json:"cursor"`
	Edge    EdgeInfo   `json:"edge"`
	Ping    int        `json:"ping"` // seconds between the server's pings
	Resumed bool       `json:"resumed"`
}

// Joined announces a room and its late channel: every frame after From comes.
type Joined struct {
	T    string   `json:"t"`
	Ch   Channel  `json:"ch"`
	P    LogID    `json:"p"`
	From Seq      `json:"from"`
	V    Seq      `json:"v"`
	Room RoomInfo `json:"room"`
}

// Left says that a room delivers no more.
type Left struct {
	T  string  `json:"t"`
	Ch Channel `json:"ch"`
	V  Seq     `json:"v"`
}

// Live ends the back frames of a late channel, which has everything up to Seq.
type Live struct {
	T   string  `json:"t"`
	Ch  Channel `json:"ch"`
	Seq Seq     `json:"seq"`
}

// ObjectMoved is a document that the client watches, and has changed, or that a
// message refers to, and the session has not seen. Data is null if there is no
// such document any more.
type ObjectMoved struct {
	T    string `json:"t"`
	Key  string `json:"key"`
	V    Seq    `json:"v"`
	Data Data   `json:"data"`
}

// Activity says that a room that has no focus has frames up to Seq. It is
// repeatable, and moves no cursor.
type Activity struct {
	T   string  `json:"t"`
	Ch  Channel `json:"ch"`
	P   LogID   `json:"p"`
	Seq Seq     `json:"seq"`
}

// CursorMoved says: you have everything of yours up to here.
type CursorMoved struct {
	T  string `json:"t"`
	At At     `json:"at"`
	V  Seq    `json:"v"`
}

// Gap says that the frames From..To, inclusive, are gone.
type Gap struct {
	T    string  `json:"t"`
	Ch   Channel `json:"ch"`
	P    LogID   `json:"p"`
	From Seq     `json:"from"`
	To   Seq     `json:"to"`
}

// Signal is a message that is not kept: typing, cursors.
type Signal struct {
	T    string  `json:"t"`
	Ch   Channel `json:"ch"`
	From string  `json:"from,omitempty"`
	Data Data    `json:"data"`
}

// Goaway asks a client to move to one of Edges within AfterMS: then it is closed.
type Goaway struct {
	T       string    `json:"t"`
	AfterMS int       `json:"after_ms"`
	Edges   []EdgeRef `json:"edges"` // best first
}

// EdgeRef is an edge to try, as /v1/edges names it.
type EdgeRef struct {
	ID     string  `json:"id"`
	Region string  `json:"region"`
	URL    string  `json:"url"`
	KM     float64 `json:"km"` // to who asks; of goaway, to the edge that sends it
	Load   float64 `json:"load"`
}

// Reply is the part that all answers share; the others repeat it. Those that
// read something have Stale: it may be older than 3 seconds, since the edge has
// no fresh word of the log that it is from.
type Reply struct {
	T  string `json:"t"`
	ID uint64 `json:"id"`
}

// Focused answers focus. Late are the rooms that gained it and have frames that
// were not sent: each is a late channel from a position, as after Joined.
type Focused struct {
	T    string          `json:"t"`
	ID   uint64          `json:"id"`
	Late map[Channel]Seq `json:"late,omitempty"`
}

// Placed answers publish and subscribe.
type Placed struct {
	T     string `json:"t"`
	ID    uint64 `json:"id"`
	P     LogID  `json:"p"`
	Seq   Seq    `json:"seq"`
	Epoch string `json:"epoch"`
}

// Objects answers get.
type Objects struct {
	T       string            `json:"t"`
	ID      uint64            `json:"id"`
	Objects map[string]Object `json:"objects"`
	Missing []string          `json:"missing"`
	// Next is the first key that had no room: ask again for it and those behind it.
	Next  string `json:"next,omitempty"`
	Stale bool   `json:"stale,omitempty"` // see Reply
}

// Members answers members.
type Members struct {
	T           string   `json:"t"`
	ID          uint64   `json:"id"`
	Members     []UserID `json:"members"`
	Next        string   `json:"next,omitempty"`
	MemberCount int      `json:"member_count"`
	Stale       bool     `json:"stale,omitempty"` // see Reply
}

// Users answers search, the best match first.
type Users struct {
	T     string     `json:"t"`
	ID    uint64     `json:"id"`
	Users []UserInfo `json:"users"`
	Stale bool       `json:"stale,omitempty"` // see Reply
}

// Rooms answers rooms.
type Rooms struct {
	T     string     `json:"t"`
	ID    uint64     `json:"id"`
	Rooms []RoomInfo `json:"rooms"`
	Next  string     `json:"next,omitempty"`
	Stale bool       `json:"stale,omitempty"` // see Reply
}

// History answers history; Frames are whole messages, oldest first.
type History struct {
	T      string `json:"t"`
	ID     uint64 `json:"id"`
	Frames []Data `json:"frames"`
	Floor  Seq    `json:"floor"`
	Last   Seq    `json:"last"`
	Stale  bool   `json:"stale,omitempty"` // see Reply
}

// Error says what went wrong with request ID, or with the session (0).
type Error struct {
	T       string `json:"t"`
	ID      uint64 `json:"id,omitempty"`
	Code    Code   `json:"code"`
	Message string `json:"message"`
}

// Code is a stable error code, the same on sockets and in the HTTP API.
type Code string

// The codes.
const (
	BadRequest       Code = "bad_request"
	Unauthorized     Code = "unauthorized"
	Forbidden        Code = "forbidden"
	NotFound         Code = "not_found"
	MethodNotAllowed Code = "method_not_allowed"
	Conflict         Code = "conflict"
	TooLarge         Code = "too_large"
	Unsupported      Code = "unsupported_media_type"
	RateLimited      Code = "rate_limited"
	Unavailable      Code = "unavailable"
	Internal         Code = "internal"
)

// CloseCode is why an edge closes a WebSocket: RFC 6455's own and ours.
type CloseCode uint16

// The close codes.
const (
	CloseNormal       CloseCode = 1000
	CloseGoingAway    CloseCode = 1001
	CloseProtocol     CloseCode = 1002
	CloseWrongType    CloseCode = 1003 // text on a msgpack socket, or the reverse
	CloseBadUTF8      CloseCode = 1007
	CloseTooLarge     CloseCode = 1009
	CloseReconnect    CloseCode = 4000 // for example: the epoch changed
	CloseUnauthorized CloseCode = 4001 // final
	CloseExpired      CloseCode = 4002 // refresh the token, then reconnect
	CloseForbidden    CloseCode = 4003 // final
	CloseMalformed    CloseCode = 4004 // final
	CloseRateLimited  CloseCode = 4008
	CloseSlow         CloseCode = 4009
)
