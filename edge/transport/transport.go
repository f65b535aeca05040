package transport

import (
	"context"
	"errors"
	"net"
	"time"
)

// What Add, Move and Write fail with, beside the system's own errors.
var (
	// ErrClosed is returned by Add when the loop has ended, by Run when it was
	// called before, and by Write when the conn is closing.
	ErrClosed = errors.New("transport: closed")
	// ErrFull is returned by Add when the loop holds Config.MaxConns, or the
	// process has no file descriptor left.
	ErrFull = errors.New("transport: full")
	// ErrNotSocket is returned by the epoll loop's Add for a net.Conn that is
	// neither a bare socket of the kernel nor a TLSConn over one: a pipe, a
	// wrapper, somebody else's TLS.
	ErrNotSocket = errors.New("transport: not a kernel socket; the portable transport takes any connection")
	// ErrCannotMove is returned by Move and Detach where the loop, or the one
	// that shall take the conn, is not of a kind that can.
	ErrCannotMove = errors.New("transport: conns move between epoll loops only")
)

// Handler is a shard. All its methods are called on the goroutine of Run, one
// at a time. Each conn that Add, Accept or Move brought gets Data first and
// Closed last, or it is taken away by Move or Detach.
type Handler interface {
	// Data hands over bytes that were read. The first call for a conn carries
	// the early bytes of Add or Move and comes even if there are none: it introduces
	// the conn. b is valid during the call only and may be overwritten. An
	// error closes the conn with it.
	Data(c *Conn, b []byte) error
	// Writable is called once after each short Write, when there is room again.
	Writable(c *Conn)
	// Closed is the last call for c, never made from inside another call. err
	// is nil if the peer closed in an orderly way, what Close, CloseAfterWrite
	// or Data said if the handler closed, the context's cause if the loop
	// ended, and else the network's error. A conn that was accepted when the
	// loop was ending may get no other call.
	Closed(c *Conn, err error)
	// Woken is called once for all the calls of Wake since the last Woken.
	Woken()
	// Tick is called every Config.TickEvery, later if the loop is busy.
	Tick(now time.Time)
}

// Loop is one goroutine that serves many sockets.
type Loop interface {
	// Run serves until ctx ends, closes every conn, waits for whatever it
	// started, and returns nil. An error means that the loop could not go on;
	// all conns were closed with it. A loop runs once.
	Run(ctx context.Context, h Handler) error
	// Wake makes the loop call Woken soon. It never blocks, costs a few
	// nanoseconds while the loop is busy, and does nothing once Run has
	// returned. Safe for concurrent use.
	Wake()
	// Add gives nc to the loop; early are bytes that were read from it already
	// and belong to the loop now, data becomes Conn.Data. On an error nc is
	// closed and the handler never hears of it. Conns added before Run wait for
	// it: a loop that is never run keeps them for ever. Safe for concurrent use.
	Add(nc net.Conn, early []byte, data any) error
	// Len is the number of conns that came and are not gone yet. Safe for concurrent
	// use.
	Len() int
}

// Config of a loop. The zero value is useful.
type Config struct {
	// MaxConns bounds the conns of the loop; Add fails past it. 0 = 1,048,576.
	MaxConns int
	// TickEvery is the time between calls of Tick. 0 = 100 ms.
	TickEvery time.Duration
	// Linger bounds what CloseAfterWrite may take, up to one TickEvery more.
	// 0 = 5 s.
	Linger time.Duration
	// ReadBuffer is the most that one call of Data carries, in bytes, and the
	// budget of a socket per turn. Epoll has one such buffer per loop (0 = 64
	// KiB), portable one per conn (0 = 4 KiB).
	ReadBuffer int
	// SendBuffer is SO_SNDBUF in bytes; 0 = the kernel adapts it. In the
	// portable loop it also bounds the bytes that wait for the writer, where
	// 0 = 64 KiB.
	SendBuffer int
	// UserTimeout is TCP_USER_TIMEOUT: how long sent bytes may stay
	// unacknowledged before the kernel gives the peer up. 0 = the system's own
	// (some 15 minutes). Epoll only.
	UserTimeout time.Duration
	// Nagle leaves small writes to be collected by the kernel. Zero =
	// TCP_NODELAY.
	Nagle bool
	// KeepAlive leaves the kernel's keepalive probes as the listener set them.
	// Zero = none: the shard pings, and a second kind of probe every few
	// seconds would wake the radio of every phone for nothing.
	KeepAlive bool
}

// withDefaults is cfg with its zeros replaced.
func (cfg Config) withDefaults(readBuffer int) Config {
	if cfg.MaxConns <= 0 {
		cfg.MaxConns = 1 << 20
	}
	if cfg.TickEvery <= 0 {
		cfg.TickEvery = 100 * time.Millisecond
	}
	if cfg.Linger <= 0 {
		cfg.Linger = 5 * time.Second
	}
	if cfg.ReadBuffer <= 0 {
		cfg.ReadBuffer = readBuffer
	}
	return cfg
}
