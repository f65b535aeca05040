package fanout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"selvedge/edge/cache"
	"selvedge/edge/keyed"
	"selvedge/edge/transport"
	"selvedge/edge/websocket"
	"selvedge/wire"
)

// mail is what others send a shard: a batch, or something to do.
type mail struct {
	batch *Batch
	fn    func(*shard)
}

// shard is one event loop's sockets and index. It implements transport.Handler.
type shard struct {
	e       *Engine
	loop    transport.Loop
	numbers *Numbers // e's

	mu     sync.Mutex
	room   sync.Cond // mu's: there is room for batches again, or the loop has ended
	mail   []mail    // guarded by mu
	bytes  int       // guarded by mu: of the frames in mail
	ended  bool      // guarded by mu: nobody handles mail any more
	behind behind    // guarded by mu

	published []atomic.Uint64 // pos, for everybody to read

	// Owned by the loop's goroutine.
	pos       []wire.Seq // by log: every frame up to it was handed on
	seen      wire.Seq   // memberships up to it were told to the sessions
	users     *keyed.Set[wire.UserID, user]
	slots     []*user // by slot; nil if nobody has it
	index     map[*cache.Channel]*audience
	waiting   map[wire.LogID]map[*Socket]struct{} // lag for want of a fill or an interest
	ahead     map[wire.LogID]map[*Socket]struct{} // know more than this shard does
	dirty     []*Socket                           // have something to write
	again     []*Socket                           // have more to catch up on, next turn
	begun     []begun                             // in this turn
	spare     []mail                              // the other half of the mailbox
	outboxes  []*outbox                           // for reuse
	writes    int                                 // system calls not reported yet
	parser    websocket.Parser                    // of whoever has none of its own
	freeSlots []slot
	frames    []*cache.Frame // scratch of catching up
	lacks     []bool         // scratch of lacking
	objects   []Object       // scratch of objectsOf
	dues      []due          // oldest first
	active    lastActivity
	wheel     wheel
	hellos    []greeted // oldest first: who has yet to say hello
	cursors   [wire.Codecs][]byte
	drain     *drain // nil while nobody is asked to go
	deaf      bool   // nothing that clients say is looked at any more
}

func newShard(e *Engine, loop transport.Loop, at []wire.Seq) *shard {
	s := &shard{
		e: e, loop: loop, numbers: e.numbers,
		published: make([]atomic.Uint64, e.cfg.Logs), pos: make([]wire.Seq, e.cfg.Logs),
		users: keyed.New(func(u *user) wire.UserID { return u.id }), index: map[*cache.Channel]*audience{},
		waiting: map[wire.LogID]map[*Socket]struct{}{}, ahead: map[wire.LogID]map[*Socket]struct{}{},
		wheel: newWheel(e.cfg.Ping),
	}
	s.room.L = &s.mu
	s.setPositions(at)
	return s
}

func (s *shard) setPositions(at []wire.Seq) {
	for p := range s.pos {
		s.moveTo(wire.LogID(p), at[p])
	}
}

// moveTo sets the position of a log, for the shard and for who asks. A quiet
// log's does not move, and the cursors that were made hold.
func (s *shard) moveTo(p wire.LogID, pos wire.Seq) {
	if s.pos[p] == pos && s.published[p].Load() == uint64(pos) {
		return
	}
	s.pos[p] = pos
	s.published[p].Store(uint64(pos))
	clear(s.cursors[:])
}

func (s *shard) appendPositions(dst []wire.Seq) []wire.Seq {
	dst = slices.Grow(dst, len(s.published))
	for p := range s.published {
		dst = append(dst, wire.Seq(s.published[p].Load()))
	}
	return dst
}

// maxMail bounds the frames that wait for a shard, in bytes, but for one batch.
// A shard that is that far behind makes the link's reader wait, so the core's
// feed falls behind and goes on from a number: no frame piles up anywhere.
const maxMail = 16 << 20

// post sends mail. A batch waits while there is too much of them; functions
// are small, and whoever sends them is bounded elsewhere.
func (s *shard) post(m mail) {
	s.mu.Lock()
	if m.batch != nil {
		for s.bytes > maxMail && !s.ended {
			s.room.Wait()
		}
		for _, f := range m.batch.Frames {
			s.bytes += len(f.Bytes)
		}
		s.behind.came()
	}
	if !s.ended {
		s.mail = append(s.mail, m)
	}
	first := len(s.mail) == 1
	s.mu.Unlock()
	if first {
		s.loop.Wake()
	}
}

// run serves the shard's sockets until ctx ends.
func (s *shard) run(ctx context.Context) error {
	err := s.loop.Run(ctx, s)
	s.mu.Lock()
	s.ended, s.mail = true, nil
	s.room.Broadcast()
	s.mu.Unlock()
	return err
}

// Woken handles all the mail at hand, then writes once to each socket that got
// something.
func (s *shard) Woken() {
	s.mu.Lock()
	box := s.mail
	s.mail = s.spare[:0]
	s.bytes = 0
	batches := s.behind.taken()
	s.room.Broadcast()
	s.mu.Unlock()
	for i, m := range box {
		if m.batch != nil {
			s.publish(m.batch)
		} else {
			m.fn(s)
		}
		box[i] = mail{}
	}
	if s.spare = box[:0]; cap(s.spare) > 4096 {
		s.spare = nil
	}
	s.continueCatchUp()
	s.flushDirty()
	s.giveBack()
	if batches {
		s.mu.Lock()
		s.behind.done()
		s.mu.Unlock()
	}
}

// Data parses what a client sent.
func (s *shard) Data(c *transport.Conn, b []byte) error {
	k := c.Data.(*Socket)
	if k.conn == nil {
		s.adopt(k, c)
	}
	k.flags |= heard
	if s.deaf || k.state >= closing {
		return nil // only the close frame's echo is of interest, and it may be lost
	}
	if err := s.feed(k, b); err != nil {
		s.protocolError(k, err)
	}
	s.flushDirty()
	return nil
}

// feed parses b. A socket has a parser of its own only while a message is
// incomplete.
func (s *shard) feed(k *Socket, b []byte) error {
	p := k.parser
	if p == nil {
		p = &s.parser
		*p = websocket.FromClient(k.form.Deflates())
	}
	err := p.Feed(b, wire.MaxClientMessage, func(op websocket.Op, payload []byte) error {
		return s.message(k, op, payload)
	})
	switch {
	case p.Idle():
		k.parser = nil
	case k.parser == nil:
		own := s.parser
		k.parser = &own
	}
	return err
}

func (s *shard) message(k *Socket, op websocket.Op, payload []byte) error {
	if k.state >= closing {
		return nil // the last one closed it
	}
	switch op {
	case websocket.OpPing:
		s.reply(k, websocket.Pong(payload))
	case websocket.OpPong:
	case websocket.OpClose:
		s.closeSocket(k, wire.CloseNormal, "")
	case websocket.OpText, websocket.OpBinary:
		if (op == websocket.OpText) != (k.Codec() == wire.JSON) {
			s.closeSocket(k, wire.CloseWrongType, "this socket speaks "+k.Codec().Subprotocol())
			return nil
		}
		k.flags |= spoke
		s.e.cfg.Sessions.Message(k, payload)
	}
	return nil
}

// protocolError closes with the code that the parser's error carries.
func (s *shard) protocolError(k *Socket, err error) {
	if pe, ok := errors.AsType[*websocket.Error](err); ok {
		s.closeSocket(k, pe.Code, pe.Reason)
		return
	}
	s.closeSocket(k, wire.CloseProtocol, err.Error())
}

// adopt takes a new connection's socket in.
func (s *shard) adopt(k *Socket, c *transport.Conn) {
	k.conn = c
	s.wheel.add(k)
	s.hellos = append(s.hellos, greeted{k, time.Now().Add(s.e.cfg.HelloTimeout)})
}

// Writable goes on with what is pending, and with what was withheld.
func (s *shard) Writable(c *transport.Conn) {
	k := c.Data.(*Socket)
	k.flags |= heard // it took what it was sent
	s.flush(k)
}

// Closed forgets a socket.
func (s *shard) Closed(c *transport.Conn, _ error) {
	k := c.Data.(*Socket)
	s.e.sockets.Add(-1)
	if k.conn == nil {
		s.e.cfg.Sessions.Closed(k)
		return // it went before its first byte
	}
	if k.state < closing {
		s.e.cfg.Events.Closed(0)
	}
	k.state = closed
	s.wheel.remove(k)
	if k.is(leaving) {
		s.drain.asked--
	}
	s.endSession(k)
	k.out, k.extra, k.parser = nil, nil, nil
	s.e.cfg.Sessions.Closed(k)
}

// endSession takes k out of the index.
func (s *shard) endSession(k *Socket) {
	for p := range s.waiting {
		delete(s.waiting[p], k)
	}
	for p := range s.ahead {
		delete(s.ahead[p], k)
	}
	if x := k.extra; x != nil {
		for _, ch := range x.topics {
			s.removeSubscriber(ch, k)
		}
		x.topics, x.lags, x.late, x.behind, x.focus, x.seen = nil, nil, nil, nil, nil, nil
	}
	if u := k.user; u != nil {
		if u.detach(k); u.first == nil {
			s.dropUser(u)
		}
	}
}

func (s *shard) removeSubscriber(ch *cache.Channel, k *Socket) {
	if a := s.index[ch]; a != nil {
		a.unsubscribe(k)
		s.dropAudience(ch, a)
	}
}

// closeSocket says goodbye: nothing more is taken from the client or queued for
// it, and the connection goes when the close frame is written.
func (s *shard) closeSocket(k *Socket, code wire.CloseCode, reason string) {
	if k.state >= closing || k.conn == nil {
		return
	}
	s.e.cfg.Events.Closed(code)
	s.push(k, websocket.Close(code, reason))
	k.state = closing
	s.endSession(k)
}

// updateReading stops reading a socket that has more pending than its budget,
// or whose session is busy.
func (s *shard) updateReading(k *Socket) {
	stop := k.is(busy) || k.pending() > s.e.cfg.Budget
	if stop == k.is(paused) || k.conn == nil || k.state == closed {
		return
	}
	if k.set(paused, stop); stop {
		k.conn.PauseRead()
	} else {
		k.conn.ResumeRead()
	}
}

func (k *Socket) String() string { return fmt.Sprintf("socket %p (%s)", k, k.form) }
