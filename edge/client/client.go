package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"selvedge/wire"
)

const defaultName = "selvedge-go/1"

// Client is one user's session with whatever edge serves it. Run does the work;
// requests may be made from any goroutine, before and while it runs.
//
// A connected client costs two goroutines, Run's own included, and 4 KiB of
// read buffer.
type Client struct {
	cfg      Config
	codec    wire.Codec
	log      *slog.Logger
	edges    *directory
	network  chan struct{} // it changed; never closed
	requests *requests
	objects  *store
	stats    counters

	// owned by Run's goroutine
	cursor   Cursor
	topics   map[wire.Channel]bool
	token    string
	expired  string // the token that an edge called expired
	failures int    // connections in a row that came to nothing
	hole     Violation
}

type counters struct{ delivered, duplicates, violations, connections atomic.Uint64 }

// Stats counts since the client was made.
type Stats struct {
	Delivered   uint64 // frames
	Duplicates  uint64 // frames that were dropped, seen before
	Violations  uint64
	Connections uint64 // that were welcomed
}

// New checks cfg. Nothing is connected before Run.
func New(cfg Config) (*Client, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if cfg.Name == "" {
		cfg.Name = defaultName
	}
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{Timeout: dialTimeout}).DialContext // a question given up leaves its dial behind
	}
	// Connections are not kept: a question a minute is worth no goroutine.
	transport := &http.Transport{DisableKeepAlives: true, DialContext: cfg.Dial, TLSClientConfig: cfg.TLS}
	c := &Client{
		cfg:      cfg,
		codec:    wire.Msgpack,
		log:      cfg.Log,
		edges:    newDirectory(cfg.Edges, transport),
		network:  make(chan struct{}, 1),
		requests: newRequests(),
		objects:  newStore(cfg.Objects),
		topics:   make(map[wire.Channel]bool),
	}
	if cfg.JSON {
		c.codec = wire.JSON
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.cursor.Focus(cfg.Focus, nil)
	for _, ch := range cfg.Topics {
		c.topics[ch] = true
	}
	return c, nil
}

// Stats may be called at any time.
func (c *Client) Stats() Stats {
	return Stats{
		Delivered:   c.stats.delivered.Load(),
		Duplicates:  c.stats.duplicates.Load(),
		Violations:  c.stats.violations.Load(),
		Connections: c.stats.connections.Load(),
	}
}

// Edges are the edges that the client knows, the one in use first.
func (c *Client) Edges() []Edge {
	c.edges.mu.Lock()
	defer c.edges.mu.Unlock()
	return slices.Clone(c.edges.known)
}

// Run connects and stays connected until ctx ends, whose error it then returns,
// or an edge refuses for good (*RefusedError). It is called once; after it,
// requests fail with ErrClosed.
func (c *Client) Run(ctx context.Context) error {
	defer c.requests.close()
	if c.cfg.Nearest {
		c.findNearest(ctx)
		if wait := c.edges.choose(); wait > 0 {
			c.tell(State{Kind: Waiting, URL: c.edges.current().URL, RetryIn: wait, Err: errPaced})
			if err := pass(ctx, wait); err != nil {
				return err
			}
		}
	}
	for {
		edge := c.edges.current()
		c.tell(State{Kind: Connecting, URL: edge.URL})
		end := c.connect(ctx, edge)
		c.requests.pause()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		wait, err := c.plan(edge, &end)
		if err != nil {
			return err
		}
		c.tell(State{Kind: Waiting, URL: edge.URL, Attempt: c.failures, RetryIn: wait, Err: end.err})
		if err := c.wait(ctx, wait); err != nil {
			return err
		}
	}
}

// pass lets time pass, unless ctx ends.
func pass(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// end is how a connection ended.
type end struct {
	err        error
	welcomed   bool
	lived      time.Duration // since its welcome
	retryAfter time.Duration // the edge's wish
}

// connect is one connection, from the token to the end.
func (c *Client) connect(ctx context.Context, edge Edge) end {
	if err := c.needToken(ctx); err != nil {
		return end{err: err}
	}
	hello, resumes, err := c.hello()
	if err != nil {
		return end{err: err}
	}
	sock, retryAfter, err := dial(ctx, &c.cfg, edge.URL, resumes)
	if err != nil {
		return end{err: err, retryAfter: retryAfter}
	}
	return (&session{Client: c, sock: sock, edge: edge}).run(ctx, hello)
}

// needToken fetches a token if there is none.
func (c *Client) needToken(ctx context.Context) error {
	if c.token != "" {
		return nil
	}
	token, err := c.cfg.Token(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("no token: %w", err)
	case token == c.expired && token != "":
		return &RefusedError{Code: wire.CloseExpired}
	}
	c.token = token
	c.edges.setTeam(cmp.Or(c.cfg.Team, teamOf(token)))
	return nil
}

// hello says who we are, and how far we got, if it resumes.
func (c *Client) hello() (_ []byte, resumes bool, _ error) {
	m := wire.ClientMessage{T: wire.THello, Token: c.token, Client: c.cfg.Name}
	for ch := range c.topics {
		m.Topics = append(m.Topics, ch)
	}
	var err error
	if m.Focus, err = roomList(c.cursor.Focused()); err != nil {
		return nil, false, err
	}
	if c.cursor.Started() {
		resume := c.cursor.Snapshot()
		m.Resume = &resume
	}
	payload, err := c.codec.Append(nil, &m)
	if err != nil || len(payload) <= wire.MaxClientMessage || m.Resume == nil {
		return payload, m.Resume != nil, err
	}
	// So many channels are late that the cursor fits no message. What an edge
	// would refuse must not keep the client away for ever: it starts afresh.
	c.log.Error("client: the cursor is too large to resume from", "bytes", len(payload), "behind", len(m.Resume.Behind))
	m.Resume = nil
	payload, err = c.codec.Append(nil, &m)
	return payload, false, err
}

// plan decides what follows an end: how long to wait, and where to go then. An
// error is final.
func (c *Client) plan(edge Edge, e *end) (time.Duration, error) {
	if e.lived >= goodSession {
		c.failures = 0
	}
	if refused, ok := errors.AsType[*RefusedError](e.err); ok {
		return 0, refused
	}
	closed := new(closeError)
	if errors.As(e.err, &closed) && closed.final() {
		return 0, &RefusedError{Code: closed.code, Reason: closed.reason}
	}
	if closed.code == wire.CloseExpired {
		c.expired, c.token = c.token, ""
	}
	switch {
	case closed.ours():
		c.log.Error("client: the edge blames this client", "code", int(closed.code), "reason", closed.reason)
		e.err = fmt.Errorf("a defect of this client: %w", e.err)
		c.failures = max(c.failures, penalty)
	case closed.code == wire.CloseRateLimited || errors.Is(e.err, errDefect):
		c.failures = max(c.failures, penalty)
	case errors.Is(e.err, errLeaving):
		return 0, nil // the moment was chosen at random already
	}
	// A cut may be a blip: the same edge has in its cache what we need. One that
	// did not welcome us, is going away, fell silent or cut us thrice at once is left
	// for the next.
	if !e.welcomed || c.failures >= sameEdge || closed.code == wire.CloseGoingAway || errors.Is(e.err, errSilent) {
		c.edges.next(edge)
	}
	c.edges.rest(edge, e.retryAfter)
	if wait := c.edges.choose(); wait > 0 {
		return wait, nil // the edge knows better how long it takes
	}
	wait := backoff(c.failures)
	if !c.edges.resting() { // else there is one to go to before long
		c.failures++
	}
	return wait, nil
}

// findNearest asks any edge that answers for the others, and starts at the nearest
// of the first ones that it names. A token that can't be had is no matter yet.
func (c *Client) findNearest(ctx context.Context) {
	if err := c.needToken(ctx); err != nil {
		c.log.Debug("client: looking for edges without a team", "error", err)
	}
	for range c.cfg.Edges {
		if c.cfg.Static || c.discover(ctx) {
			break
		}
		c.edges.next(c.edges.current())
	}
	c.edges.race(ctx)
}

func (c *Client) discover(ctx context.Context) bool {
	err := c.edges.discover(ctx)
	if err != nil && ctx.Err() == nil {
		c.log.Debug("client: can't learn of other edges", "error", err)
	}
	return err == nil
}

func (c *Client) tell(s State) {
	if c.cfg.Events.State != nil {
		c.cfg.Events.State(s)
	}
}
