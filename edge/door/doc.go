// Package door takes connections in: it accepts, bounds and times out
// handshakes, ends TLS, reads the PROXY header, and hands upgraded sockets on;
// what isn't a socket goes to an HTTP server.
//
// # Two ways in
//
// Plain TCP on a loop of package transport: a pending handshake is a
// transport.Conn, a visitor and the bytes that have come, without a goroutine
// or a timer, and a socket moves to its shard without a new descriptor. TLS,
// and any other net.Conn: a goroutine per handshake, which ends with it.
//
// Both read what has come with the same code (study.go), and both take for a
// socket only what net/http would have upgraded as well. Everything else (other
// paths, upgrades that are refused, bad requests, a full edge) is given to the
// HTTP server with its bytes replayed, so that there is one place that answers.
package door
