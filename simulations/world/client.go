package world

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"selvedge/edge/client"
	"selvedge/internal/identity"
	"selvedge/simulations/netsim"
	"selvedge/wire"
)

// Client is a user with a session, whose receipts are in the world's ledger.
type Client struct {
	*client.Client
	User wire.UserID
	Host netsim.Host

	w      *World
	log    *slog.Logger
	cancel context.CancelFunc
	done   chan struct{} // closed when Run has ended
	err    error         // of Run; set before done is closed

	mu       sync.Mutex
	conns    map[net.Conn]struct{} // guarded by mu; open
	welcomes int                   // guarded by mu
	afresh   int                   // guarded by mu; welcomes after the first that resumed nothing
	trouble  []string              // guarded by mu; what should not happen
	pause    time.Duration         // guarded by mu; that each message takes
	last     map[wire.Channel]last // guarded by mu; in the present epoch
	edge     string                // guarded by mu; that it is connected to, "" = none
	epoch    string                // guarded by mu; of the last welcome's cursor
	sights   sights                // guarded by mu
}

// last is the latest message of a channel.
type last struct {
	n   int
	seq wire.Seq
}

// AddClient starts a client near the edge of its number, which it tries first.
func (w *World) AddClient(ctx context.Context, topics ...wire.Channel) (*Client, error) {
	i := len(w.Clients)
	if i >= w.cfg.Clients {
		return nil, fmt.Errorf("the world was made for %d clients", w.cfg.Clients)
	}
	c := &Client{
		User: wire.UserID(fmt.Sprintf("u%d", i)), Host: firstClient + netsim.Host(i),
		w: w, done: make(chan struct{}), conns: map[net.Conn]struct{}{}, last: map[wire.Channel]last{},
		sights: newSights(),
	}
	c.log = w.logger(string(c.User))
	now := time.Now()
	token, err := identity.Sign([]byte(identity.DevTokenSecret), identity.Claims{
		User: string(c.User), Publish: []string{"room:*", "topic:*"}, Subscribe: []string{"topic:*"}, Expires: now.Add(24 * time.Hour),
	}, now)
	if err != nil {
		return nil, err
	}
	c.Client, err = client.New(client.Config{
		Edges: []string{w.Edges[i%len(w.Edges)].URL}, Topics: topics, Dial: c.dial,
		Token:  func(context.Context) (string, error) { return token, nil },
		Events: c.see(c.events()), Log: c.log,
	})
	if err != nil {
		return nil, err
	}
	ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		c.err = c.Run(ctx)
		close(c.done)
	}()
	w.Clients = append(w.Clients, c)
	return c, nil
}

func (c *Client) stop() error {
	c.cancel()
	<-c.done
	if !errors.Is(c.err, context.Canceled) {
		return fmt.Errorf("client of %s: %w", c.User, c.err)
	}
	return nil
}

func (c *Client) events() client.Events {
	return client.Events{
		Welcome: c.welcomed,
		Message: c.received,
		Gap: func(g *wire.Gap) {
			c.log.Debug("gap", "ch", g.Ch, "from", g.From, "to", g.To)
			c.w.Book.Gap(string(c.User), g.Ch, g.From, g.To)
		},
		Joined: func(j *wire.Joined) { c.log.Debug("joined", "ch", j.Ch, "from", j.From, "v", j.V) },
		Left:   func(l *wire.Left) { c.log.Debug("left", "ch", l.Ch, "v", l.V) },
		Live:   func(l *wire.Live) { c.log.Debug("live", "ch", l.Ch, "seq", l.Seq) },
		State:  c.moved,
		Violation: func(v client.Violation) {
			c.complain("violation: %+v", v)
		},
		Error: func(e *client.RequestError) { c.complain("error: %v", e) },
	}
}

// moved takes note of where the client is.
func (c *Client) moved(s client.State) {
	c.log.Debug("state", "is", s.String())
	c.mu.Lock()
	defer c.mu.Unlock()
	c.edge = ""
	if s.Kind == client.Connected {
		c.edge = s.Edge.ID
	}
}

// session is the edge that the client is connected to, "" = none, and the number
// of the session.
func (c *Client) session() (edge string, number int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.edge, c.welcomes
}

// epochSeen is the epoch of the logs that the client was told last.
func (c *Client) epochSeen() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.epoch
}

func (c *Client) welcomed(m *wire.Welcome) {
	c.log.Debug("welcome", "resumed", m.Resumed, "at", m.Cursor.At, "behind", m.Cursor.Behind, "v", m.Cursor.V)
	c.mu.Lock()
	c.welcomes++
	c.epoch = m.Cursor.Epoch
	c.forgetSightsLocked(m)
	fresh := c.welcomes > 1 && !m.Resumed
	if fresh {
		c.afresh++
		clear(c.last)
	}
	c.mu.Unlock()
	if fresh {
		c.w.Book.Afresh(string(c.User))
	}
}

// body is what is published: a number within its channel.
type body struct {
	N int `json:"n"`
}

func (c *Client) received(m *client.Message) {
	var b body
	if err := wire.Msgpack.Decode(m.Data, &b); err != nil {
		c.complain("a message that can't be read in %s: %v", m.Ch, err)
		return
	}
	c.log.Debug("message", "ch", m.Ch, "seq", m.Seq, "prev", m.Prev, "n", b.N, "back", m.Back)
	if !c.w.Book.Saw(string(c.User), m.Ch, b.N) {
		c.complain("number %d of %s, where nothing is expected", b.N, m.Ch)
	}
	c.mu.Lock()
	c.last[m.Ch] = last{b.N, m.Seq}
	pause := c.pause
	c.mu.Unlock()
	if pause > 0 {
		<-time.After(pause)
	}
}

// publish publishes until there is an answer that says more than that it can't be
// done now, or ctx ends.
func (c *Client) publish(ctx context.Context, ch wire.Channel, data wire.Data, id string) (wire.Seq, error) {
	for {
		placed, err := c.Publish(ctx, ch, data, id)
		var refused *client.RequestError
		if !errors.As(err, &refused) || refused.Code != wire.Unavailable {
			return placed.Seq, err
		}
		select {
		case <-ctx.Done():
			return 0, err
		case <-time.After(tryPause):
		}
	}
}

func (c *Client) complain(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trouble = append(c.trouble, fmt.Sprintf("at %v: ", c.w.Net.Since())+fmt.Sprintf(format, args...))
}

// Trouble is what should not have happened.
func (c *Client) Trouble() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.trouble)
}

// Last is the number and the place of the latest message that the client has of
// a channel.
func (c *Client) Last(ch wire.Channel) (n int, seq wire.Seq, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l, ok := c.last[ch]
	return l.n, l.seq, ok
}

// Welcomes is how often the client was welcomed, and how often of these it had
// to start afresh.
func (c *Client) Welcomes() (all, afresh int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.welcomes, c.afresh
}

// Slow makes each message take so long, from now on.
func (c *Client) Slow(pause time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pause = pause
}
