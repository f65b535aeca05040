package door

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sync/errgroup"

	"selvedge/edge/transport"
)

// maxHeld bounds the bytes that the visitors of one loop have sent and that are
// no whole head yet, so that many slow ones can't fill the memory. Past it, who
// sends more of a head that is still not whole is closed.
const maxHeld = 64 << 20

var (
	errTimeout = errors.New("the handshake took too long")
	errBusy    = errors.New("too many bytes of unfinished handshakes")
	errAnswer  = errors.New("there was no room for the answer")
	errRefused = errors.New("too many sockets are asked for")
)

// runLoops starts the loops, all of which accept from ln.
func (d *Door) runLoops(ctx context.Context, g *errgroup.Group, ln net.Listener) error {
	tcp, ok := ln.(*net.TCPListener)
	if !ok || d.cfg.TLS != nil {
		return fmt.Errorf("door: loops accept plain TCP only, not %T", ln)
	}
	for _, l := range d.cfg.Loops {
		err := l.Accept(tcp, transport.AcceptConfig{
			Data: func() any { return &visitor{} }, Admit: d.admit, Failed: d.acceptFailed,
		})
		if err != nil {
			return fmt.Errorf("door: accept: %w", err)
		}
	}
	for _, l := range d.cfg.Loops {
		g.Go(func() error {
			return l.Run(ctx, &greeter{d: d, parser: newParser(), line: d.newLine(len(d.cfg.Loops))})
		})
	}
	return ln.Close() // the loops have it; Go's poller shall not wake up for it
}

func (d *Door) acceptFailed(err error) {
	if d.acceptWarned.now() {
		d.cfg.Logger.Warn("connections can't be accepted; that is not mentioned again for a minute", "err", err)
	}
}

// greeter shakes hands on one loop. It implements transport.Handler.
type greeter struct {
	d      *Door
	parser *parser
	queue  queue
	line   *line // nil = no limit
	held   int   // bytes in all visitors' held
	answer []byte
}

// Data goes on with a handshake.
func (g *greeter) Data(c *transport.Conn, b []byte) error {
	v := c.Data.(*visitor)
	if v.stage == coming {
		return g.meet(v, c)
	}
	if len(v.held) > 0 {
		g.held += len(b)
		v.held = append(v.held, b...)
		b = v.held
	}
	if v.ticket != nil {
		return g.hear(v, b)
	}
	if !v.greeted {
		need, err := proxyNeed(b)
		switch {
		case err != nil:
			return g.turnAway(v, BadProxy, err)
		case len(b) < need:
			return g.hold(v, b)
		}
		if v.client, err = proxySource(b[:need]); err != nil {
			return g.turnAway(v, BadProxy, err)
		}
		v.greeted = true
		g.drop(v)
		if b = b[need:]; len(b) == 0 {
			return nil
		}
	}
	verdict, r, agreed, end := g.d.study(g.parser, b, v.searched)
	switch verdict {
	case wait:
		v.searched = len(b)
		return g.hold(v, b)
	case page:
		g.page(v, b)
		return nil
	case refuse:
		return g.refuse(v)
	default:
		if !g.line.pass(g.d.now()) {
			return g.wait(v, comesBack(r), b)
		}
		g.take(v, &Arrival{Request: r, agreed: agreed, early: b[end:], conn: c, client: v.client})
		return nil
	}
}

// meet begins a handshake.
func (g *greeter) meet(v *visitor, c *transport.Conn) error {
	v.stage = shaking
	v.conn, v.deadline, v.greeted = c, g.d.now().Add(g.d.cfg.Timeout), !g.d.cfg.Proxy
	g.d.pending.Add(1)
	g.queue.push(v)
	if g.d.cfg.Proxy && !g.d.trusts(c.RemoteAddr().Addr()) {
		return g.turnAway(v, BadProxy, errProxyForeign)
	}
	return nil
}

// hold keeps what has come, which is b, until there is more.
func (g *greeter) hold(v *visitor, b []byte) error {
	if len(v.held) == 0 {
		g.held += len(b)
		v.held = append(v.held, b...)
	}
	if g.held > g.d.most {
		return g.turnAway(v, Busy, errBusy)
	}
	return nil
}

// wait puts a client in the line that has sent b.
func (g *greeter) wait(v *visitor, back bool, b []byte) error {
	v.ticket = &ticket{back: back, visitor: v}
	refused := g.line.join(g.d.now(), v.ticket)
	if refused == v.ticket {
		return g.refuse(v)
	}
	if refused != nil {
		other := refused.visitor
		c := other.conn
		c.Close(g.refuse(other))
	}
	return g.hold(v, b)
}

// hear takes what a client sends while it waits: little, which is for the socket.
func (g *greeter) hear(v *visitor, b []byte) error {
	if len(b) > 2*maxHead {
		return g.turnAway(v, Busy, errBusy)
	}
	return g.hold(v, b)
}

// call takes those who may come in, and refuses those who have waited too long.
func (g *greeter) call() {
	now := g.d.now()
	for t := g.line.call(now); t != nil; t = g.line.call(now) {
		v := t.visitor
		v.ticket = nil
		if verdict, r, agreed, end := g.d.study(g.parser, v.held, 0); verdict == socket {
			g.take(v, &Arrival{Request: r, agreed: agreed, early: v.held[end:], conn: v.conn, client: v.client})
		} else { // it was a socket's, and the edge is full by now
			g.page(v, v.held)
		}
	}
	for t := g.line.late(now); t != nil; t = g.line.late(now) {
		c := t.visitor.conn
		c.Close(g.refuse(t.visitor))
	}
}

// refuse answers a client that it shall come again; the error closes the conn.
// All that it sent was read, so that the answer arrives.
func (g *greeter) refuse(v *visitor) error {
	after := g.d.gate.again(g.d.now())
	if t := v.ticket; t != nil {
		after = g.d.gate.refused(g.d.now(), t.back)
	}
	g.answer = appendRefusal(g.answer[:0], after)
	_, _ = v.conn.Write([][]byte{g.answer})
	g.end(v)
	g.d.refused(Refused)
	return errRefused
}

// drop forgets what v holds, whose bytes stay valid.
func (g *greeter) drop(v *visitor) {
	g.held -= len(v.held)
	v.held = nil
}

// end ends a handshake, whatever came of it.
func (g *greeter) end(v *visitor) {
	g.drop(v)
	g.queue.remove(v)
	if v.ticket != nil {
		g.line.leave(v.ticket)
	}
	v.conn, v.ticket, v.stage = nil, nil, over
	g.d.pending.Add(-1)
}

// turnAway ends a handshake badly; the error closes the conn.
func (g *greeter) turnAway(v *visitor, r Result, why error) error {
	client := g.client(v)
	g.end(v)
	g.d.fail(r, client, why)
	return why
}

// client is for the log.
func (g *greeter) client(v *visitor) netip.AddrPort {
	if v.client.IsValid() {
		return v.client
	}
	return v.conn.RemoteAddr()
}

// page gives a connection that has sent b to the HTTP server.
func (g *greeter) page(v *visitor, b []byte) {
	c, client := v.conn, v.client
	g.end(v)
	nc, err := c.Detach()
	if err != nil {
		g.d.fail(Failed, client, err)
		return
	}
	if !g.d.pages.give(nc, b, client) {
		g.d.cfg.Result(Busy)
	}
}

// take answers a client, and hands it on.
func (g *greeter) take(v *visitor, a *Arrival) {
	c := v.conn
	g.end(v)
	g.answer = a.agreed.AppendAnswer(g.answer[:0])
	n, err := c.Write([][]byte{g.answer})
	if err == nil && n < len(g.answer) {
		err = errAnswer // it is the first that the socket was given
		c.Close(err)
	}
	if err != nil {
		g.d.fail(Failed, a.client, err)
		return
	}
	if err := g.d.cfg.Take(a); err != nil {
		g.d.notTaken(a.client, err)
		return
	}
	g.d.cfg.Result(Taken)
}

// Writable is never owed: answers fit, or else the conn is closed.
func (*greeter) Writable(*transport.Conn) {}

// Closed ends the handshake of a client that went.
func (g *greeter) Closed(c *transport.Conn, err error) {
	v := c.Data.(*visitor)
	if v.stage != shaking {
		return // it has ended, or never began
	}
	begun := len(v.held) > 0 // health checks of load balancers say nothing
	client := v.client
	g.end(v)
	if begun {
		g.d.fail(Failed, client, err)
	}
}

// Woken is not used.
func (*greeter) Woken() {}

// Tick calls those who wait for their socket, and closes who takes too long.
func (g *greeter) Tick(time.Time) {
	g.call()
	now := g.d.now()
	for v := g.queue.late(now); v != nil; v = g.queue.late(now) {
		c := v.conn
		c.Close(g.turnAway(v, TimedOut, errTimeout))
	}
}
