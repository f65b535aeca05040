package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"time"

	"selvedge/wire"
)

// Config is what a Client is made of. It is checked once and never modified.
type Config struct {
	// Edges are base URLs of edges (http, https, ws, wss), best first. At least one.
	Edges []string
	// Static keeps to Edges. Otherwise edges are asked which others there are
	// (GET /v1/edges), so that these are known when one dies.
	Static bool
	// Nearest measures the round trip to the first three edges before the first
	// connection, and starts at the best. It looks again when the network changes
	// (Client.NetworkChanged), and, some times, after a reconnect: a client that left
	// its edge for another is back in a while. Needs more than one edge to matter.
	Nearest bool
	// Team is whose edge is wanted: edges name the one first where a team's clients
	// meet. Empty: the token's claim "team".
	Team string
	// Token is a client token, or fetches one: it is asked before the first
	// connection, and again when the edge says that the token expired. An error
	// is tried again with backoff. Called by Run's goroutine.
	Token func(ctx context.Context) (string, error)
	// Topics are subscribed from the start.
	Topics []wire.Channel
	// Focus are the rooms that have it from the start, as Client.Focus has them.
	Focus []wire.RoomID
	// Objects is how many documents of users and rooms are kept, beside those that
	// are watched. 0 = 10,000, below 0 = none.
	Objects int
	// JSON speaks JSON instead of msgpack.
	JSON bool
	// Compress asks the edge to compress what it sends, and does so with what is
	// sent to it, where that saves something (RFC 7692). Good for narrow links; a
	// message of 1 KiB takes some 10 us to inflate. An edge that doesn't
	// compress is no error.
	Compress bool
	// Name says what the application is, as "name/version". Empty = selvedge-go/1.
	Name string
	// TLS is for https and wss; nil = the system's roots.
	TLS *tls.Config
	// Dial opens connections; nil = net.Dialer.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Events are told what happens.
	Events Events
	// Log gets a client's own defects and what discovery met; nil = nothing is logged.
	Log *slog.Logger
}

// Events are called one at a time by Run's goroutine, in the order of the
// messages; nil ones are skipped. While one runs, nothing is received: one that
// takes long makes the session a slow one, and one that waits for an answer of
// the same Client waits for ever. Values are the receiver's to keep.
type Events struct {
	Welcome func(*wire.Welcome)
	// Message is called exactly once per frame.
	Message func(*Message)
	Joined  func(*wire.Joined)
	Left    func(*wire.Left)
	Live    func(*wire.Live)
	Gap     func(*wire.Gap)
	Signal  func(*wire.Signal)
	// Activity tells that a room out of focus has frames.
	Activity func(*wire.Activity)
	// Object is called for each newer version of a document, whatever brought it:
	// those of welcome right after Welcome, those that a message refers to before
	// Message, or right after it where the edge had to ask for them. Data that is not set: there is no such document any more, or none
	// that the user may see. Client.Object has it already.
	Object    func(*wire.ObjectMoved)
	Moved     func(*wire.CursorMoved)
	State     func(State)
	Violation func(Violation)
	// Error is told what the edge says about the session, and of no request.
	Error func(*RequestError)
	// Raw is called with every message but duplicates and pongs, as JSON, before
	// its own event. text is valid during the call only. It costs a transcoding
	// per message where msgpack is spoken.
	Raw func(t string, text []byte)
}

// Message is one frame of a channel.
type Message struct {
	T     string       `json:"t"` // "message"
	Ch    wire.Channel `json:"ch"`
	P     wire.LogID   `json:"p"`
	Seq   wire.Seq     `json:"seq"`
	Prev  wire.Seq     `json:"prev"`
	TS    int64        `json:"ts"` // when the core took it, Unix milliseconds
	From  string       `json:"from,omitempty"`
	MsgID string       `json:"msg_id,omitempty"`
	Data  wire.Data    `json:"data"`
	Refs  []string     `json:"refs,omitempty"`
	Back  bool         `json:"back,omitempty"` // of a late channel
}

// Violation is a broken promise: a frame of Ch between Covered and Prev never
// came. The first time, the client resumes from Covered. If the hole is there
// again, it is taken as a gap, said so by Events.Gap, and the session goes on.
type Violation struct {
	Ch      wire.Channel
	P       wire.LogID
	Covered wire.Seq // everything up to here was received
	Prev    wire.Seq // of the frame that showed the hole
	Seq     wire.Seq // of the frame that showed the hole
	Again   bool     // the hole was still there after a resume
}

// StateKind is what a client is doing.
type StateKind uint8

// The states of a client.
const (
	Connecting StateKind = iota
	Connected
	Waiting // for the next attempt
)

// State is told whenever it changes.
type State struct {
	Kind    StateKind
	URL     string        // of the edge meant
	Edge    wire.EdgeInfo // connected
	Resumed bool          // connected: exactly what was missed follows
	Attempt int           // waiting: how many failed in a row
	RetryIn time.Duration // waiting
	Err     error         // waiting: why
}

func (s State) String() string {
	switch s.Kind {
	case Connected:
		text := "connected to " + s.Edge.ID
		if s.Edge.Region != "" {
			text += " (" + s.Edge.Region + ")"
		}
		if s.Resumed {
			text += ", resumed"
		}
		return text
	case Waiting:
		return fmt.Sprintf("not connected to %s: %v; trying again in %d ms", s.URL, s.Err, s.RetryIn.Milliseconds())
	default:
		return "connecting to " + s.URL
	}
}

// check returns why c can't be used.
func (c *Config) check() error {
	if len(c.Edges) == 0 {
		return errors.New("no edge given: name at least one base URL, such as http://127.0.0.1:7410")
	}
	for _, raw := range c.Edges {
		if _, err := endpoint(raw, "", "ws"); err != nil {
			return err
		}
	}
	if c.Token == nil {
		return errors.New("no token source given: an edge serves users that a token names")
	}
	for _, ch := range c.Topics {
		if err := checkTopic(ch); err != nil {
			return err
		}
	}
	if _, err := roomList(c.Focus); err != nil {
		return fmt.Errorf("focus: %w", err)
	}
	return nil
}

func checkTopic(ch wire.Channel) error {
	if err := ch.Check(); err != nil {
		return err
	}
	if !ch.IsTopic() {
		return fmt.Errorf("channel %q can't be subscribed: only topics are; rooms and the inbox deliver by membership", ch)
	}
	return nil
}

// endpoint is the URL of path at an edge whose base URL is raw; scheme is "ws"
// or "http", and gets its s where the base URL has one.
func endpoint(raw, path, scheme string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return "", fmt.Errorf("edge %q is no URL: write it as http://host:port or https://host", raw)
	}
	switch u.Scheme {
	case "http", "ws":
		u.Scheme = scheme
	case "https", "wss":
		u.Scheme = scheme + "s"
	default:
		return "", fmt.Errorf("edge %q: scheme %q is not known: use http, https, ws or wss", raw, u.Scheme)
	}
	u.Path = strings.TrimSuffix(u.Path, "/") + path
	return u.String(), nil
}
