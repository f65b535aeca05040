// Package core is a core node: it orders and keeps what backends publish, keeps
// the state of users, rooms and memberships, and feeds the edges.
//
// The way of a message through it: package api takes it, package log appends
// it, package feed follows the log and encodes it once, and wire/link writes it
// to each edge that wants it. Package directory is the view of the state log.
package core
