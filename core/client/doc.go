// Package client is the Go client of a core's HTTP API, for backends, and the
// command `selvedge publish` on top of it.
package client
