package fanout

import (
	"math"
	"time"

	"selvedge/edge/cache"
	"selvedge/edge/transport"
	"selvedge/edge/websocket"
	"selvedge/wire"
)

// Socket is one client's connection. Its exported methods are safe for
// concurrent use; they send mail to the socket's shard, and do nothing once the
// socket is closed.
type Socket struct {
	// Fixed.
	shard *shard
	// Session belongs to Sessions.
	Session any

	// Owned by the shard's goroutine.
	conn   *transport.Conn
	parser *websocket.Parser // nil between whole messages
	user   *user             // nil before the start of the session
	out    *outbox           // nil when nothing is pending
	extra  *extra

	expires uint32 // Unix seconds; 0 = never
	slot    int32  // index in its bucket of the wheel
	bucket  int16
	form    cache.Form // fixed
	state   state
	flags   flags
}

// outbox is what waits to be written to a socket. Idle ones have none.
type outbox struct {
	packets [][]byte // packets[0] from offset on
	offset  int
	pending int // bytes
}

// pending are the bytes that wait to be written.
func (k *Socket) pending() int {
	if k.out == nil {
		return 0
	}
	return k.out.pending
}

// state is where a socket is in its life.
type state uint8

const (
	greeting state = iota // no session yet
	running
	closing // a close frame is on its way out
	closed
)

// flags are what else is to be known of a socket.
type flags uint8

const (
	heard   flags = 1 << iota // something came since the last ping
	missed                    // nothing came between the last two pings
	paused                    // isn't read: over budget, or its session has enough to do
	busy                      // its session asked not to be read
	dirty                     // is in shard.dirty
	spoke                     // a message came
	leaving                   // was asked to move, by shard.drain
)

func (k *Socket) is(f flags) bool { return k.flags&f != 0 }

func (k *Socket) set(f flags, on bool) {
	if k.flags &^= f; on {
		k.flags |= f
	}
}

// extra is what a socket has beyond the usual: most have none, most of the time.
type extra struct {
	topics []*cache.Channel
	lags   []lag
	late   []late
	// behind are channels whose position is their own: everything up to it was
	// sent, whatever the log's position says.
	behind map[*cache.Channel]wire.Seq
	focus  *focus // nil = all rooms
	seen   *seen  // nil until the first object
	again  bool   // is in shard.again
	full   bool   // stopped for want of room, and goes on when there is some
}

// lag: the socket isn't live on log p; everything up to at was sent.
type lag struct {
	p  wire.LogID
	at wire.Seq
}

// late: a channel that was begun when its log was already further; everything
// up to at was sent.
type late struct {
	ch *cache.Channel
	at wire.Seq
}

// Codec is the socket's codec.
func (k *Socket) Codec() wire.Codec { return k.form.Codec() }

// Form is how the socket takes its messages.
func (k *Socket) Form() cache.Form { return k.form }

// Position is the position of the socket's shard in log p.
func (k *Socket) Position(p wire.LogID) wire.Seq { return wire.Seq(k.shard.published[p].Load()) }

// AppendPositions appends the positions of the socket's shard by log: where a
// session that starts now begins.
func (k *Socket) AppendPositions(dst []wire.Seq) []wire.Seq { return k.shard.appendPositions(dst) }

// Send sends one message that was encoded by cache.Packet for the socket's
// codec. Messages of one caller stay in order.
func (k *Socket) Send(packet []byte) {
	k.shard.post(mail{fn: func(s *shard) { s.reply(k, packet) }})
}

// SendMessage encodes m and sends it. A message that has no form in the codec
// is a programmer's error and closes the socket as such.
func (k *Socket) SendMessage(m any) {
	packet, err := k.shard.e.packet(k.form.Plain(), m)
	if err != nil {
		k.Close(wire.CloseReconnect, "internal")
		return
	}
	k.Send(packet)
}

// Close closes the socket with a code, once what is pending has been written.
func (k *Socket) Close(code wire.CloseCode, reason string) {
	k.shard.post(mail{fn: func(s *shard) { s.closeSocket(k, code, reason) }})
}

// Busy stops (true) or goes on (false) reading what the client sends.
func (k *Socket) Busy(on bool) {
	k.shard.post(mail{fn: func(s *shard) {
		k.set(busy, on)
		s.updateReading(k)
	}})
}

// Start is the beginning of a session. It belongs to the shard from Socket.Start
// on.
type Start struct {
	User    wire.UserID
	Rooms   Rooms // the user's, in full; held, and released by the engine
	Topics  []*cache.Channel
	Welcome []byte     // for the socket's codec
	At      []wire.Seq // everything up to it is had
	// Behind are channels with a position of their own, of a resumed session.
	Behind map[*cache.Channel]wire.Seq
	// From are rooms whose membership began beyond At: nothing up to there is the
	// user's.
	From map[*cache.Channel]wire.Seq
	// Joined are rooms that were joined after the session last looked.
	Joined []Joined
	// Focus are the rooms that the session gets frames of, if it is Focused, and of
	// Absent when they are joined; else it gets those of all. See Socket.Focus. Both
	// are taken over.
	Focus   []*cache.Channel
	Absent  []wire.Channel
	Focused bool
	// Expires is when the session ends unless Expire says otherwise, to the next
	// ping; zero = never.
	Expires time.Time
	// Done, if not nil, is called on the shard's goroutine when nothing of the
	// Start is used any more, so that all its memory can be used again. It isn't if
	// the client did not take the welcome at once.
	Done func()
}

// Joined is a room that a session is told of.
type Joined struct {
	Ch     *cache.Channel
	From   wire.Seq
	Packet []byte // for the socket's codec
}

// Start starts the session: the welcome, then what was missed, then what comes.
func (k *Socket) Start(st *Start) {
	k.shard.post(mail{fn: func(s *shard) { s.start(k, st) }})
}

// Expire sets when the session ends, as Start.Expires does.
func (k *Socket) Expire(at time.Time) {
	k.shard.post(mail{fn: func(*shard) { k.expires = unixSeconds(at) }})
}

// unixSeconds is at as a socket keeps it, up to the year 2106.
func unixSeconds(at time.Time) uint32 {
	if at.IsZero() {
		return 0
	}
	return uint32(min(max(at.Unix(), 1), math.MaxUint32))
}

// Subscribe adds a topic: reply is made of the position after which its frames
// come: since, or the present one if since is nil.
func (k *Socket) Subscribe(ch *cache.Channel, since *wire.Seq, reply func(from wire.Seq) []byte) {
	k.shard.post(mail{fn: func(s *shard) { s.subscribe(k, ch, since, reply) }})
}

// Unsubscribe removes a topic.
func (k *Socket) Unsubscribe(ch *cache.Channel) {
	k.shard.post(mail{fn: func(s *shard) { s.unsubscribe(k, ch) }})
}

// more is k's extra, made when first needed.
func (k *Socket) more() *extra {
	if k.extra == nil {
		k.extra = &extra{}
	}
	return k.extra
}

// settle drops an extra that holds nothing.
func (k *Socket) settle() {
	x := k.extra
	if x != nil && !x.again && len(x.topics)+len(x.lags)+len(x.late)+len(x.behind) == 0 && x.focus == nil && x.seen == nil {
		k.extra = nil
	}
}

func (x *extra) lagOf(p wire.LogID) *lag {
	if x == nil {
		return nil
	}
	for i := range x.lags {
		if x.lags[i].p == p {
			return &x.lags[i]
		}
	}
	return nil
}

func (x *extra) lateOf(ch *cache.Channel) *late {
	if x == nil {
		return nil
	}
	for i := range x.late {
		if x.late[i].ch == ch {
			return &x.late[i]
		}
	}
	return nil
}

// positionOf is up to where k was sent ch, of a log that stands at pos.
func (k *Socket) positionOf(ch *cache.Channel, pos wire.Seq) wire.Seq {
	x := k.extra
	if x == nil {
		return pos
	}
	if l := x.lateOf(ch); l != nil {
		return l.at
	}
	if l := x.lagOf(ch.P); l != nil {
		pos = l.at
	}
	return max(pos, x.behind[ch])
}
