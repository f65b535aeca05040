package fanout

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"selvedge/edge/cache"
	"selvedge/edge/transport"
	"selvedge/edge/websocket"
	"selvedge/wire"
)

// Sessions is who understands what clients say. Its methods are called on a
// shard's goroutine and must not block.
type Sessions interface {
	// Message is one whole message; payload is valid during the call only.
	Message(s *Socket, payload []byte)
	// Closed is the last call for s.
	Closed(s *Socket)
}

// Events are what an engine reports. Unset ones are filled in with no-ops.
// They are called on the shards' goroutines, and must be quick.
type Events struct {
	Delivered func(frames int)            // frames handed to sockets
	Delay     func(ts int64, sockets int) // a live frame of core time ts (Unix ms) went out
	Writes    func(n int)                 // system calls that wrote
	Withheld  func(reason string)         // a socket stopped getting a log: "slow"
	Closed    func(code wire.CloseCode)   // 0 = the peer went without a word
	Gap       func()
	Goaway    func() // a session was asked to move
}

func (e Events) withDefaults() Events {
	if e.Delivered == nil {
		e.Delivered = func(int) {}
	}
	if e.Delay == nil {
		e.Delay = func(int64, int) {}
	}
	if e.Writes == nil {
		e.Writes = func(int) {}
	}
	if e.Withheld == nil {
		e.Withheld = func(string) {}
	}
	if e.Closed == nil {
		e.Closed = func(wire.CloseCode) {}
	}
	if e.Gap == nil {
		e.Gap = func() {}
	}
	if e.Goaway == nil {
		e.Goaway = func() {}
	}
	return e
}

// Config sets up an Engine. It is not modified.
type Config struct {
	Loops    []transport.Loop // one per shard
	Logs     int
	Sessions Sessions
	// Fill asks for a channel's frames after a position; Covered follows when
	// they are in the cache. It must not block, and is asked often.
	Fill func(ch *cache.Channel, after wire.Seq)
	// Budget is how much a socket may have pending, in bytes of memory that it
	// pins; 0 = 256 KiB. Replies may take as much again, then it is closed.
	Budget int
	// Ping is the time between pings; a peer that is silent for two of them is
	// dead. 0 = 25 s.
	Ping time.Duration
	// ActivityEvery is how often a session is told of the activity of a room that
	// is out of its focus, at most; 0 = 1 s.
	ActivityEvery time.Duration
	// Objects appends to dst what this edge has of the documents that f refers to,
	// and takes care of loading the others: Engine.Object follows. It is called on
	// the shards' goroutines and must not block. nil = none.
	Objects func(dst []Object, f *cache.Frame) []Object
	// HelloTimeout bounds the time from connection to session; 0 = 10 s.
	HelloTimeout time.Duration
	Events       Events
}

func (c Config) withDefaults() Config {
	if c.Budget == 0 {
		c.Budget = 256 << 10
	}
	if c.Ping == 0 {
		c.Ping = 25 * time.Second
	}
	if c.ActivityEvery == 0 {
		c.ActivityEvery = time.Second
	}
	if c.HelloTimeout == 0 {
		c.HelloTimeout = 10 * time.Second
	}
	c.Events = c.Events.withDefaults()
	return c
}

// Engine is an edge's shards. Its methods are safe for concurrent use.
type Engine struct {
	cfg     Config
	numbers *Numbers
	shards  []*shard
	next    atomic.Uint32
	sockets atomic.Int64
	deaf    atomic.Int32 // shards that Deafen came to
	// payloads are the memory of messages that were encoded, each a *[]byte: it
	// would be several times what is sent, since it grows as they are written.
	payloads sync.Pool
}

// New is an engine whose logs stand at positions at. Run makes it work.
func New(cfg Config, at []wire.Seq) *Engine {
	e := &Engine{cfg: cfg.withDefaults(), numbers: NewNumbers(cfg.Logs)}
	for _, l := range cfg.Loops {
		e.shards = append(e.shards, newShard(e, l, at))
	}
	return e
}

// Run runs the shards until ctx ends; then every socket is closed.
func (e *Engine) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, s := range e.shards {
		g.Go(func() error { return s.run(ctx) })
	}
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// Attach gives a connection that has been upgraded to the engine: the next
// shard in turn. early are bytes that were read behind the upgrade; session is
// kept as the socket's Session.
func (e *Engine) Attach(nc net.Conn, early []byte, agreed websocket.Agreement, session any) error {
	s := e.shards[int(e.next.Add(1))%len(e.shards)]
	k := &Socket{shard: s, form: cache.FormOf(agreed.Codec, agreed.Deflate), Session: session}
	e.sockets.Add(1)
	if err := s.loop.Add(nc, early, k); err != nil {
		e.sockets.Add(-1)
		return err
	}
	return nil
}

// Take is Attach for a connection of another loop, which gives it up.
func (e *Engine) Take(c *transport.Conn, early []byte, agreed websocket.Agreement, session any) error {
	s := e.shards[int(e.next.Add(1))%len(e.shards)]
	k := &Socket{shard: s, form: cache.FormOf(agreed.Codec, agreed.Deflate), Session: session}
	e.sockets.Add(1)
	if err := c.Move(s.loop, early, k); err != nil {
		e.sockets.Add(-1)
		return err
	}
	return nil
}

// Numbers are those of the engine's rooms.
func (e *Engine) Numbers() *Numbers { return e.numbers }

// Sockets is the number of sockets.
func (e *Engine) Sockets() int { return int(e.sockets.Load()) }

// Batch is what the link delivered of one log: Frames, complete up to Upto.
type Batch struct {
	P      wire.LogID
	Frames []*cache.Frame
	Upto   wire.Seq
}

// Publish hands a batch to the shards, and waits for one that is too far
// behind. The cache must have it already. Batches of one log must come in order.
func (e *Engine) Publish(b *Batch) {
	for _, s := range e.shards {
		s.post(mail{batch: b})
	}
}

// Covered tells that the cache holds more of channels of log p than before.
func (e *Engine) Covered(p wire.LogID) { e.each(func(s *shard) { s.retry(p) }) }

// Restart moves every log to new positions and closes all sockets with
// CloseReconnect: the epoch changed.
func (e *Engine) Restart(at []wire.Seq, reason string) {
	e.each(func(s *shard) {
		for k := range s.wheel.sockets() {
			s.closeSocket(k, wire.CloseReconnect, reason)
		}
		s.seen = 0
		s.setPositions(at)
	})
}

// CloseAll closes every socket with a code.
func (e *Engine) CloseAll(code wire.CloseCode, reason string) {
	e.each(func(s *shard) {
		for k := range s.wheel.sockets() {
			s.closeSocket(k, code, reason)
		}
	})
}

// Seen tells up to which state position every session has been told of its
// memberships.
func (e *Engine) Seen(v wire.Seq) {
	e.each(func(s *shard) {
		if v > s.seen {
			s.seen = v
			clear(s.cursors[:])
		}
	})
}

// Join makes a user's sessions members of ch: they are told by joined, and get
// every frame after from.
func (e *Engine) Join(user wire.UserID, ch *cache.Channel, from wire.Seq, joined Packets) {
	e.each(func(s *shard) { s.join(user, ch, from, joined) })
}

// Leave ends what Join, or a Start, began.
func (e *Engine) Leave(user wire.UserID, ch *cache.Channel, left Packets) {
	e.each(func(s *shard) { s.leave(user, ch, left) })
}

// Signal hands a signal to the members and subscribers of ch, but for sockets
// of the user who sent it.
func (e *Engine) Signal(ch *cache.Channel, from wire.UserID, sig Packets) {
	e.each(func(s *shard) { s.signal(ch, from, sig) })
}

func (e *Engine) each(fn func(*shard)) {
	for _, s := range e.shards {
		s.post(mail{fn: fn})
	}
}

// Packets is one WebSocket message in every codec.
type Packets [wire.Codecs][]byte

// Encode is the Packets of a message. It fails like wire.Codec.Append.
func Encode(m any) (Packets, error) {
	var p Packets
	b, err := wire.Msgpack.Append(nil, m)
	if err != nil {
		return p, err
	}
	for c := range p {
		p[c] = cache.PacketIn(cache.FormOf(wire.Codec(c), false), b)
	}
	return p, nil
}

// Gap tells that frames of log p up to floor are gone: every session that has
// channels in it is told, as it catches up.
func (e *Engine) Gap(p wire.LogID, floor wire.Seq) { e.each(func(s *shard) { s.gapped(p, floor) }) }
