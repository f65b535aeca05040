// Package transport moves bytes between a shard's single goroutine and its
// sockets.
//
// A Loop owns sockets and calls one Handler, always on the goroutine of Run, so
// that a shard needs no locks. Two loops keep the same promises and pass the
// same conformance suite, with TLS (NewTLS) and without:
//
//   - NewEpoll (Linux) asks the kernel which sockets are ready. An idle socket
//     costs a Conn (48 bytes) and a slot (8 bytes): no goroutine, no timer, no
//     buffer, no file of Go's own poller. With TLS it costs some 3.3 KiB, which
//     are keys and crypto/tls's own struct. It accepts connections by itself,
//     and its conns can move between loops, and out of them.
//   - NewPortable takes any net.Conn (pipes, simulated networks) and any system,
//     at the price of a goroutine and a read buffer per socket.
//
// # Why level-triggered
//
// The epoll loop registers sockets level-triggered. A socket with more to read
// than its turn's budget is simply reported again, so fairness needs no list of
// half-read sockets; a read shorter than the buffer needs no second read to see
// EAGAIN; and a socket that stops being paused is reported by itself. The
// price, a system call when write interest begins and one when it ends, is
// paid by slow sockets only. (What TLS has decrypted or buffered no event tells
// of: those conns do stand in a list.)
//
// # Why an epoll within Go's
//
// A goroutine that blocks in epoll_wait blocks a thread. Go's scheduler has to
// notice, to take the thread's P away, to wake its monitor if all else is idle,
// and to find a P again when the call returns. So the loop waits for its epoll
// descriptor in Go's own poller instead, as any goroutine waits for a socket:
// it is woken like one, Wake and the tick are that wait's deadline, and an idle
// loop holds no thread. For the same reason reads and writes, which never
// block, are system calls that Go's scheduler is not told of, but while a garbage
// collection is near: it could not stop the world in the middle of one.
//
// docs/performance.md has the figures, and what was tried and did not pay:
// epoll_wait without waiting before the one that waits (no difference, once
// nothing is told to the scheduler) and a thread of its own for the loop (every
// wake-up becomes a switch of threads).
//
// # Why Conn.Data is an interface
//
// A generic Conn with the shard's own struct inside would save 24 bytes per
// socket (some 1 % of what an idle session costs) and make every type that
// touches a socket generic. It was not worth it.
package transport
