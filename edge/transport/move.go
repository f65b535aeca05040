package transport

import "net"

// Acceptor is a loop that takes connections from a listening socket itself: no
// goroutine, no file of Go's own poller and no second descriptor for any of
// them. The epoll loop is one.
type Acceptor interface {
	Loop
	// Accept makes the loop take connections from ln while it runs. Each new
	// Conn is introduced by a Data without bytes, counts in Config.MaxConns and
	// has the options that Add would set; these are set on ln, whose
	// connections inherit them.
	//
	// The loop works on a duplicate of ln's descriptor, which it closes when it
	// ends: the socket listens until that, and until the caller has closed ln,
	// which may be at once (else Go's poller wakes up for each connection as
	// well). Several ln may be given to one loop. Several loops may accept from
	// one ln, but each of them wakes up for every connection: a listener each,
	// with SO_REUSEPORT, is cheaper.
	//
	// It fails with ErrClosed once the loop has ended. Safe for concurrent use.
	Accept(ln *net.TCPListener, cfg AcceptConfig) error
}

// AcceptConfig says whom to take. Its functions are called on the goroutine of
// Run, not from inside a call of the Handler, and must not block.
type AcceptConfig struct {
	// Data is what each new Conn carries; nil = nothing.
	Data func() any
	// Admit says whether one more is taken: it is asked once per connection,
	// which is closed at once, and never mentioned again, if not. nil = all are.
	Admit func() bool
	// Failed tells of what keeps the loop from accepting, once per TickEvery at
	// most. Where the system lacks something (descriptors, memory), the loop
	// looks again after a TickEvery and newcomers wait in the kernel; past
	// Config.MaxConns (ErrFull) they are closed at once. nil = nobody wants to
	// know.
	Failed func(error)
}

// Move takes c out of its loop without closing it and gives it to another (or
// the same), whose handler meets a new Conn with early, which is copied, and
// data, as with Add. The old loop's handler hears no more of c, not even
// Closed. A pause, and a Writable that was owed, end here.
//
// An error means that c is closed, with it, and that Closed follows: ErrFull or
// ErrClosed of the other loop, ErrClosed if c was closing already,
// ErrCannotMove unless both are epoll loops.
func (c *Conn) Move(to Loop, early []byte, data any) error {
	return c.drv.move(c, to, early, data)
}

// Detach takes c out of its loop without closing it, as a net.Conn of Go's own
// poller, which is the caller's to close. The handler hears no more of c, not
// even Closed.
//
// An error means that c is closed, with it, and that Closed follows: ErrClosed
// if c was closing already, ErrCannotMove in the portable loop, ErrFull for
// want of a descriptor.
func (c *Conn) Detach() (net.Conn, error) { return c.drv.detach(c) }
