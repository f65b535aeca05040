// Package client is the Go client of an edge: one session that outlives its
// connections.
//
// A Client connects to one edge at a time, says how far it got, and is sent
// exactly what it missed. Cursor is the written specification of that
// bookkeeping: pure logic, without socket or clock. ListenCommand is
// `selvedge listen`.
package client
