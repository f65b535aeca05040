// Package websocket is RFC 6455 from a byte buffer, the compression of messages
// (RFC 7692), and the upgrade to both.
//
// Nothing here reads, waits or keeps time: a Parser is fed whatever arrived and
// calls back with what is complete. That is what lets one goroutine serve many
// sockets: a peer that sends a byte a minute blocks nobody, and costs the bytes
// that it has sent.
//
// A compressed message stands for itself: neither side keeps anything of it for
// the next one. So a message to many is compressed once, compressors are shared
// and few, and a socket that is idle has none.
package websocket
