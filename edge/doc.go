// Package edge is an edge node: it follows the logs, keeps what its users need
// of them, and duplicates frames to their sockets.
//
// The way of a frame through it: package upstream receives it on its log's
// stream, package cache keeps it, package fanout hands it to the sockets of its
// channel. Package session is what an edge understands of its clients; package
// transport moves the sockets' bytes, package websocket reads and frames them.
package edge
