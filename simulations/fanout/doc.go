// Package fanout measures how far one message can be fanned out from one place: to N
// gateways by Redis pub/sub, by links from the core, and by relays, with real
// processes on this machine.
package fanout
