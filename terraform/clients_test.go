//go:build terraform

package terraform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	backend "selvedge/core/client"
	"selvedge/edge/client"
	"selvedge/internal/identity"
	"selvedge/simulations/ledger"
	"selvedge/wire"
)

const channel = wire.Channel("room:general")

// crowd is the clients of a cluster, and what they were promised.
type crowd struct {
	t      *testing.T
	api    *backend.Client
	secret []byte
	book   *ledger.Ledger
	all    []*listener
	next   int // number of the next message; of the goroutine that publishes
}

// listener is a client that keeps the book.
type listener struct {
	*client.Client
	user   string
	region string
	cuts   atomic.Int64 // sessions that ended without being asked to move
	moves  atomic.Int64 // and those that were asked
	at     atomic.Pointer[string]
}

// newCrowd reads the keys that the cluster made for itself.
func newCrowd(t *testing.T, coreURL, keys string) *crowd {
	t.Helper()
	line, err := os.ReadFile(filepath.Join(keys, "api.keys"))
	if err != nil {
		t.Fatal(err)
	}
	_, key, _ := strings.Cut(strings.TrimSpace(string(line)), ":")
	secret, err := identity.LoadSecret(filepath.Join(keys, "token.secret"))
	if err != nil {
		t.Fatal(err)
	}
	c := &crowd{t: t, api: &backend.Client{BaseURL: coreURL, Key: key}, secret: secret, book: ledger.New()}
	if _, err := c.api.PutRoom(t.Context(), "general", backend.Document{Data: object(t, `{}`)}); err != nil {
		t.Fatal(err)
	}
	return c
}

func object(t *testing.T, text string) wire.Data {
	t.Helper()
	d, err := wire.ParseJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// join connects a new member of the room to an edge, and waits until it is there.
func (c *crowd) join(region, edge string) *listener {
	c.t.Helper()
	l := &listener{user: fmt.Sprint("u", len(c.all)), region: region}
	if _, err := c.api.ChangeMembers(c.t.Context(), "general", []wire.UserID{wire.UserID(l.user)}, nil); err != nil {
		c.t.Fatal(err)
	}
	now := time.Now()
	token, err := identity.Sign(c.secret, identity.Claims{User: l.user, Publish: []string{"room:*"}, Expires: now.Add(time.Hour)}, now)
	if err != nil {
		c.t.Fatal(err)
	}
	l.Client, err = client.New(client.Config{
		Edges: []string{edge}, Token: func(context.Context) (string, error) { return token, nil }, Events: c.events(l),
	})
	if err != nil {
		c.t.Fatal(err)
	}
	c.book.Expect(l.user, channel)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	c.t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			c.t.Errorf("client %s: %v", l.user, err)
		}
	})
	// Where an edge is named as the one in use, and others beside it, the client can move.
	c.await("a welcome for "+l.user, func() bool { return l.at.Load() != nil && len(l.Edges()) > 1 })
	c.all = append(c.all, l)
	return l
}

func (c *crowd) events(l *listener) client.Events {
	connected := false // of the client's goroutine
	return client.Events{
		Welcome: func(w *wire.Welcome) { l.at.Store(&w.Edge.ID) },
		Message: func(m *client.Message) {
			var body struct {
				N int `json:"n"`
			}
			if err := wire.Msgpack.Decode(m.Data, &body); err != nil {
				c.t.Errorf("%s got %s: %v", l.user, m.Data, err)
				return
			}
			c.book.Saw(l.user, m.Ch, body.N)
		},
		Gap: func(g *wire.Gap) { c.book.Gap(l.user, g.Ch, g.From, g.To) },
		// An attempt to connect may be in vain, at an edge that goes, too: that cuts no session.
		State: func(s client.State) {
			switch {
			case s.Kind == client.Connected:
				connected = true
			case s.Kind != client.Waiting || !connected:
			case s.RetryIn > 0:
				connected = false
				l.cuts.Add(1)
				c.t.Logf("%s of %s was cut: %v", l.user, l.region, s.Err)
			default:
				connected = false
				l.moves.Add(1)
			}
		},
		Violation: func(v client.Violation) { c.t.Errorf("%s: violation: %+v", l.user, v) },
	}
}

// publish publishes the next message, every second one by way of a client.
func (c *crowd) publish(ctx context.Context) error {
	n := c.next
	c.next++
	data := object(c.t, fmt.Sprintf(`{"n":%d}`, n))
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var err error
	if n%2 == 0 {
		_, err = c.api.Publish(ctx, backend.Message{Channel: channel, Data: data, MsgID: fmt.Sprint(n)})
	} else {
		_, err = c.all[n%len(c.all)].Publish(ctx, channel, data, fmt.Sprint(n))
	}
	if err != nil {
		return fmt.Errorf("publish %d: %w", n, err)
	}
	c.book.Acknowledged(channel, n)
	return nil
}

// load publishes until it is stopped, and reports how it ended.
func (c *crowd) load(every time.Duration) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				done <- nil
				return
			case <-tick.C:
				// Not ctx: what was begun is finished.
				if err := c.publish(context.Background()); err != nil {
					done <- err
					return
				}
			}
		}
	}()
	return func() {
		c.t.Helper()
		cancel()
		if err := <-done; err != nil {
			c.t.Error(err)
		}
	}
}

// settle waits until everybody has got everything, and judges.
func (c *crowd) settle() ledger.Result {
	c.t.Helper()
	c.await("every delivery", func() bool { return c.book.Missing() == 0 })
	r := c.book.Result()
	if !r.Kept() || r.Gone > 0 {
		c.t.Errorf("promises were broken: %v\n%s", r, strings.Join(c.book.Problems(10), "\n"))
	}
	return r
}

// await waits for a condition.
func (c *crowd) await(what string, holds func() bool) {
	c.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			c.t.Fatalf("no %s in time: %v", what, c.book.Result())
		}
		<-time.After(20 * time.Millisecond)
	}
}
