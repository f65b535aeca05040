package session

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/edge/cache"
	"selvedge/edge/fanout"
	"selvedge/edge/transport"
	"selvedge/edge/websocket"
	"selvedge/wire"
)

// rig is a manager with a real engine in a bubble of simulated time.
type rig struct {
	t      *testing.T
	core   *core
	m      *Manager
	engine *fanout.Engine
	ends   []func()
}

// bubble runs a test on a rig.
func bubble(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := cache.New(logs, 1<<20)
		for p := range wire.LogID(logs) {
			c.Log(p).Start(100)
		}
		r := &rig{t: t, core: newCore(c)}
		r.m = New(Config{
			Cache: c, Upstream: r.core, Verify: verify, Edge: wire.EdgeInfo{ID: "edge-1", Region: "eu-west"},
			Ping: 25 * time.Second, Logger: slog.New(slog.DiscardHandler), StateBytes: 4 << 20,
		})
		r.core.manager = r.m
		loops := []transport.Loop{transport.NewPortable(transport.Config{}), transport.NewPortable(transport.Config{})}
		r.engine = fanout.New(fanout.Config{Loops: loops, Logs: logs, Sessions: r.m, Fill: r.m.Fill, Objects: r.m.Referred}, c.Positions())
		r.core.engine = r.engine
		ctx, cancel := context.WithCancel(t.Context())
		r.m.Bind(ctx, r.engine)
		r.m.SetEpoch("e1")
		r.m.State(nil, 10)
		done := make(chan error, 2)
		go func() { done <- r.engine.Run(ctx) }()
		go func() { done <- r.m.Run(ctx) }()
		defer func() {
			cancel()
			for range 2 {
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
			for _, end := range r.ends {
				end()
			}
		}()
		test(t, r)
	})
}

// message is what a client got, by field.
type message map[string]any

// str is a field as text: numbers and lists in JSON.
func (m message) str(field string) string {
	if s, ok := m[field].(string); ok {
		return s
	}
	b, _ := json.Marshal(m[field])
	return string(b)
}

// client speaks JSON to the engine.
type client struct {
	r    *rig
	conn net.Conn

	mu     sync.Mutex
	got    []message      // guarded by mu
	closed wire.CloseCode // guarded by mu; 0 = not yet
	reason string         // guarded by mu
}

func (r *rig) dial() *client { return r.dialWith(wire.JSON, "") }

func (r *rig) dialWith(codec wire.Codec, header string) *client {
	r.t.Helper()
	ours, theirs := net.Pipe()
	c := &client{r: r, conn: ours}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.read(codec)
	}()
	r.ends = append(r.ends, func() {
		_ = ours.Close()
		<-done
	})
	if err := r.engine.Attach(theirs, nil, websocket.Agreement{Codec: codec}, r.m.NewSession(header)); err != nil {
		r.t.Fatal(err)
	}
	return c
}

// read keeps what comes. Its results are looked at when the bubble is idle.
func (c *client) read(codec wire.Codec) {
	p := websocket.FromServer()
	b := make([]byte, 64<<10)
	for {
		n, err := c.conn.Read(b)
		if err != nil {
			return
		}
		if err := p.Feed(b[:n], 4<<20, func(op websocket.Op, payload []byte) error {
			c.mu.Lock()
			defer c.mu.Unlock()
			switch op {
			case websocket.OpPing:
				go c.frame(websocket.OpPong, nil) // not here: the engine may be waiting for us to read
			case websocket.OpClose:
				c.closed, c.reason = websocket.ParseClose(payload)
				go func() { _ = c.conn.Close() }()
			case websocket.OpText, websocket.OpBinary:
				payload = slices.Clone(payload)
				if codec == wire.Msgpack {
					payload, _ = wire.Data(payload).AppendJSON(nil)
				}
				m := message{}
				if err := json.Unmarshal(payload, &m); err != nil {
					c.r.t.Errorf("%q: %v", payload, err)
				}
				c.got = append(c.got, m)
			default:
			}
			return nil
		}); err != nil {
			c.r.t.Error(err)
			return
		}
	}
}

// send sends texts, each a message.
func (c *client) send(texts ...string) *client {
	for _, text := range texts {
		c.frame(websocket.OpText, []byte(text))
	}
	return c
}

func (c *client) frame(op websocket.Op, payload []byte) {
	_, _ = c.conn.Write(websocket.AppendMasked(nil, op, payload, [4]byte{1, 2, 3, 4}))
}

// hello begins a session, with more fields of the hello as JSON.
func (r *rig) hello(token, more string) *client {
	c := r.dial().send(`{"t":"hello","token":"` + token + `"` + more + `}`)
	synctest.Wait()
	return c
}

// take returns what came since it was last called, but for cursors.
func (c *client) take() (out []message) {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.got {
		if m.str("t") != wire.TCursor {
			out = append(out, m)
		}
	}
	c.got = nil
	return out
}

// types are the types of messages.
func types(ms []message) []string {
	out := []string{}
	for _, m := range ms {
		out = append(out, m.str("t"))
	}
	return out
}

// one is the only message that came.
func (c *client) one(kind string) message {
	c.r.t.Helper()
	got := c.take()
	if len(got) != 1 || got[0].str("t") != kind {
		c.r.t.Fatalf("got %v, want one %s", got, kind)
	}
	return got[0]
}

// ended checks the close code.
func (c *client) ended(code wire.CloseCode) {
	c.r.t.Helper()
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed != code {
		c.r.t.Errorf("closed with %d %q, want %d; got %v", c.closed, c.reason, code, c.got)
	}
}

// publish lets frames come down the link: each channel's next ones.
func (r *rig) publish(frames ...wire.Frame) {
	byLog := map[wire.LogID][]*cache.Frame{}
	for _, f := range frames {
		f.P = wire.LogOf(f.Ch, logs)
		post := &wire.Post{Ch: f.Ch, Data: wire.Data{0x01}, TS: 1}
		parsed, err := cache.ParseFrame(wire.AppendFrame(nil, f.P, f.Seq, f.Prev, wire.AppendBody(nil, post)))
		if err != nil {
			r.t.Fatal(err)
		}
		byLog[f.P] = append(byLog[f.P], parsed)
	}
	for _, p := range slices.Sorted(maps.Keys(byLog)) {
		l := r.m.cfg.Cache.Log(p)
		kept := l.Append(byLog[p], byLog[p][len(byLog[p])-1].Seq)
		r.engine.Publish(&fanout.Batch{P: p, Frames: kept, Upto: l.Pos()})
	}
	synctest.Wait()
}

// cursor is a resume field for positions of both logs.
const at100 = `"at":{"0":100,"1":100}`
