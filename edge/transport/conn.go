package transport

import (
	"net"
	"net/netip"
)

// Conn is one socket. Its methods are for the loop's goroutine, inside calls of
// the Handler, only. After Closed, Move or Detach it may be kept, but does
// nothing.
type Conn struct {
	// Data is the handler's own: what Add was given, or set later.
	Data any

	drv   driver
	fd    int32  // epoll: -1 once closed
	slot  int32  // epoll: index in the loop's slots
	gen   uint32 // epoll: tells a late event of a slot's former conn
	state state
}

// state is what a conn is about. Owned by the loop's goroutine.
type state uint16

const (
	paused    state = 1 << iota // the handler wants no Data
	wantWrite                   // a Write was short: Writable is owed
	finishing                   // CloseAfterWrite was called: only Closed is owed
	closing                     // in the list of those to be closed
	armedIn                     // epoll: registered for reading
	armedOut                    // epoll: registered for writing
	secured                     // epoll: the driver is a secure
	flushing                    // epoll, secured: ciphertext waits for room
	queued                      // epoll, secured: in the loop's again
)

// driver is what a loop does for its conns.
type driver interface {
	write(c *Conn, bufs [][]byte) (int, error)
	setPaused(c *Conn, on bool)
	shut(c *Conn, err error)
	finish(c *Conn, last [][]byte, err error)
	remote(c *Conn) netip.AddrPort
	move(c *Conn, to Loop, early []byte, data any) error
	detach(c *Conn) (net.Conn, error)
}

// Write sends bufs, one after the other, as far as there is room, without
// blocking: n bytes were taken. n < total means that Writable will be called;
// until then Write takes nothing more. It keeps nothing of bufs. After an error
// the conn closes by itself, with that error.
func (c *Conn) Write(bufs [][]byte) (n int, err error) { return c.drv.write(c, bufs) }

// PauseRead stops Data, and so, once the kernel's buffers are full, the peer.
// While paused an orderly close by the peer goes unnoticed.
func (c *Conn) PauseRead() { c.drv.setPaused(c, true) }

// ResumeRead undoes PauseRead.
func (c *Conn) ResumeRead() { c.drv.setPaused(c, false) }

// Close closes at once: what the peer has not received may be lost. Closed
// follows, after the current call of the handler. The first of several reasons
// to close is the one that Closed tells.
func (c *Conn) Close(err error) { c.drv.shut(c, err) }

// CloseAfterWrite ends the conn so that all that was written reaches the peer:
// it writes last (the rest of what an earlier short Write left, then the close
// frame), half-closes, and drops what still comes in until the peer closes too
// or Config.Linger is over. The handler gets no more calls but Closed with err.
// Bytes of last for which there is no room now are copied and kept meanwhile.
func (c *Conn) CloseAfterWrite(last [][]byte, err error) { c.drv.finish(c, last, err) }

// RemoteAddr is the peer's address, IPv4 as such. It asks the kernel each time;
// the zero AddrPort means that there is none, or no more (in Closed).
func (c *Conn) RemoteAddr() netip.AddrPort { return c.drv.remote(c) }

// appendFrom appends what follows the first skip bytes of bufs.
func appendFrom(dst []byte, bufs [][]byte, skip int) []byte {
	for _, b := range bufs {
		if skip >= len(b) {
			skip -= len(b)
			continue
		}
		dst = append(dst, b[skip:]...)
		skip = 0
	}
	return dst
}
