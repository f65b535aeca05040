// Package transport moves bytes between a shard's single goroutine and its
// sockets.
//
// A Loop owns sockets and calls one Handler, always on the goroutine of Run, so
// that a shard needs no locks. Two loops keep the same promises and pass the
// same conformance suite:
//
//   - NewEpoll (Linux) asks the kernel which sockets are ready. An idle socket
//     costs a Conn (48 bytes) and a slot (8 bytes): no goroutine, no timer, no
//     buffer, no file of Go's own poller.
//   - NewPortable takes any net.Conn (TLS, pipes, simulated networks) and any
//     system, at the price of a goroutine and a read buffer per socket.
//
// # Why level-triggered
//
// The epoll loop registers sockets level-triggered. A socket with more to read
// than its turn's budget is simply reported again, so fairness needs no list of
// half-read sockets; a read shorter than the buffer needs no second read to see
// EAGAIN; and a socket that stops being paused is reported by itself. The
// price, a system call when write interest begins and one when it ends, is
// paid by slow sockets only.
//
// # Why Conn.Data is an interface
//
// A generic Conn with the shard's own struct inside would save 24 bytes per
// socket (some 1 % of what an idle session costs) and make every type that
// touches a socket generic. It was not worth it.
package transport
