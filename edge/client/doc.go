// Package client is the Go client of an edge: one session that outlives its
// connections.
//
// A Client connects to one edge at a time, says how far it got, and is sent
// exactly what it missed. Cursor is the written specification of that
// bookkeeping: pure logic, without socket or clock. ListenCommand is
// `selvedge listen`.
//
// It keeps the documents of rooms and users that the edge tells of (Client.Object),
// asks by itself for those that are watched when a connection is new, and says in
// each hello which rooms are on screen (Client.Focus).
package client
