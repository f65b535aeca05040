// Package cluster tests the real thing end to end: cores and edges on loopback,
// with real QUIC, real sockets and real clients.
package cluster
