// Package websocket is RFC 6455 from a byte buffer, and the upgrade to it.
//
// Nothing here reads, waits or keeps time: a Parser is fed whatever arrived and
// calls back with what is complete. That is what lets one goroutine serve many
// sockets: a peer that sends a byte a minute blocks nobody, and costs the bytes
// that it has sent.
package websocket
