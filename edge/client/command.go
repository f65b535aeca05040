package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"selvedge/internal/config"
	"selvedge/internal/identity"
	"selvedge/wire"
)

// devTTL is how long the tokens are good that --dev mints.
const devTTL = time.Hour

// ListenCommand is `selvedge listen`.
type ListenCommand struct {
	Channels []string      `arg:"" optional:"" name:"channel" help:"Channels to print: topic:ID is subscribed, room:ID and inbox:USER deliver by membership. None = all of the user's."`
	User     string        `help:"Listen as this user; goes with --dev." placeholder:"ID"`
	Dev      bool          `help:"Mint the token with the secret of --dev nodes."`
	Token    string        `help:"Client token; see 'selvedge token'." placeholder:"JWT"`
	Edge     []string      `help:"Base URL of an edge, best first. Repeatable. Others are learned from it." default:"http://127.0.0.1:7410" placeholder:"URL" sep:"none"`
	Nearest  bool          `help:"Start at the nearest of the first three edges that are named, and look again at times."`
	Codec    string        `help:"What to speak." enum:"msgpack,json" default:"msgpack"`
	All      bool          `help:"Print all messages, not just frames: welcome, joined, left, live, gap, cursor, object, activity, and so on."`
	Focus    []string      `help:"Room whose frames come; of the user's other rooms it is told (with --all) that there are some. Repeatable. None = all rooms." placeholder:"ROOM" sep:"none"`
	Count    int           `help:"End after so many frames; 0 = never." placeholder:"N"`
	For      time.Duration `help:"End after this time; 0 = never." placeholder:"TIME"`
}

// Help is the command's long help.
func (*ListenCommand) Help() string {
	return "Examples:\n\n" +
		"  $ selvedge listen --dev --user u1\n" +
		"  $ selvedge listen --dev --user u1 --edge http://127.0.0.1:7420 room:general\n" +
		"  $ selvedge listen --dev --user u1 --focus general --all\n" +
		"  $ selvedge listen --token \"$TOKEN\" --edge https://edge.example.com --nearest topic:news\n\n" +
		"Each frame is one line of JSON on stdout, once and in the order of its channel, also over lost\n" +
		"connections. What happens to the connection is told on stderr. Ends with status 0 when interrupted."
}

// Run prints frames until it is interrupted, or has printed enough.
func (c *ListenCommand) Run(ctx context.Context, stdio *config.IO) error {
	topics, err := c.check()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if c.For > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, c.For)
		defer stop()
	}
	l := &listener{command: c, io: stdio, stop: cancel}
	var focus []wire.RoomID // nil = all
	for _, id := range c.Focus {
		focus = append(focus, wire.RoomID(strings.TrimPrefix(id, wire.RoomPrefix)))
	}
	client, err := New(Config{
		Edges:   c.Edge,
		Nearest: c.Nearest,
		Token:   c.token,
		Topics:  topics,
		Focus:   focus,
		Objects: -1, // what is printed is not kept
		JSON:    c.Codec == "json",
		Name:    "selvedge-listen/" + config.ReadBuild().Version,
		Events:  l.events(),
	})
	if err != nil {
		return config.Usagef("%w", err)
	}
	err = client.Run(ctx)
	if cause := context.Cause(ctx); cause != nil {
		if errors.Is(cause, errEnough) || errors.Is(cause, context.Canceled) || errors.Is(cause, context.DeadlineExceeded) {
			return nil
		}
		return cause
	}
	return err
}

// check returns the topics among the channels.
func (c *ListenCommand) check() ([]wire.Channel, error) {
	switch {
	case c.Token == "" && !c.Dev:
		return nil, config.Usagef("no token: give --token JWT, or --dev --user ID where the nodes run with --dev")
	case c.Token != "" && c.Dev:
		return nil, config.Usagef("--token and --dev exclude each other: a token is given, or minted")
	case c.Token != "" && c.User != "":
		return nil, config.Usagef("--user %s goes with --dev: a token names its user itself", c.User)
	case c.Dev && c.User == "":
		return nil, config.Usagef("--dev needs --user ID: who is it that listens?")
	case c.Count < 0 || c.For < 0:
		return nil, config.Usagef("--count %d, --for %s: both must be positive", c.Count, c.For)
	}
	if c.Dev {
		if err := wire.CheckID(c.User); err != nil {
			return nil, config.Usagef("--user: %w", err)
		}
	}
	var topics []wire.Channel
	for _, name := range c.Channels {
		ch := wire.Channel(name)
		if err := ch.Check(); err != nil {
			return nil, config.Usagef("%w", err)
		}
		if ch.IsTopic() {
			topics = append(topics, ch)
		}
	}
	return topics, nil
}

func (c *ListenCommand) token(context.Context) (string, error) {
	if !c.Dev {
		return c.Token, nil
	}
	now := time.Now()
	return identity.Sign([]byte(identity.DevTokenSecret), identity.Claims{
		User:      c.User,
		Publish:   []string{"*"},
		Subscribe: []string{"*"},
		Expires:   now.Add(devTTL),
	}, now)
}

// errEnough ends a listener that has printed what was asked for.
var errEnough = errors.New("enough")

// listener prints what a client tells. It belongs to Run's goroutine.
type listener struct {
	command *ListenCommand
	io      *config.IO
	stop    context.CancelCauseFunc
	printed int
	vain    int // attempts since the last connection
	stopped bool
	where   string // the edge that serves; "" = none
}

func (l *listener) events() Events {
	e := Events{
		Message: l.message,
		State:   l.state,
		Violation: func(v Violation) {
			l.note("%s: a frame between %d and %d is missing", v.Ch, v.Covered, v.Prev)
		},
		Gap: func(g *wire.Gap) {
			l.note("%s: frames %d to %d are gone", g.Ch, g.From, g.To)
		},
		Error: func(err *RequestError) { l.note("the edge says: %v", err) },
	}
	if l.command.All {
		e.Raw = func(t string, text []byte) {
			if t != wire.TMessage {
				l.print(append(slices.Clone(text), '\n'))
			}
		}
	}
	return e
}

func (l *listener) message(m *Message) {
	if wanted := l.command.Channels; len(wanted) > 0 && !slices.Contains(wanted, string(m.Ch)) {
		return
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false) // it is read by people
	if err := enc.Encode(m); err != nil {
		l.end(fmt.Errorf("frame %s %d: %w", m.Ch, m.Seq, err))
		return
	}
	if l.print(text.Bytes()) {
		if l.printed++; l.printed == l.command.Count {
			l.end(errEnough)
		}
	}
}

// print writes a line, unless it is over.
func (l *listener) print(line []byte) bool {
	if l.stopped {
		return false
	}
	if _, err := l.io.Stdout.Write(line); err != nil {
		l.end(fmt.Errorf("can't print: %w", err))
		return false
	}
	return true
}

func (l *listener) end(cause error) {
	l.stopped = true
	l.stop(cause)
}

// state tells of the connection: each that is made or lost, and of attempts in
// vain the first and then every tenth.
func (l *listener) state(s State) {
	switch {
	case l.stopped, s.Kind == Connecting:
		return
	case s.Kind == Connected:
		l.note("%s", s)
		l.where, l.vain = cmp.Or(s.Edge.ID, s.URL), 0
		return
	case l.where == "":
		if l.vain++; l.vain == 1 || l.vain%10 == 0 {
			l.note("can't connect to %s: %v; trying on (attempt %d)", s.URL, s.Err, l.vain)
		}
	case errors.Is(s.Err, errLeaving):
		l.note("%s asks to move: moving", l.where)
	default:
		l.note("lost %s: %v; connecting again", l.where, s.Err)
	}
	l.where = ""
}

func (l *listener) note(format string, args ...any) {
	_, _ = fmt.Fprintf(l.io.Stderr, "listen: "+format+"\n", args...) // no harm if nobody reads it
}
