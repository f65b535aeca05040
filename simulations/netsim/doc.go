// Package netsim is a simulated packet network for testing/synctest bubbles:
// real code over UDP and TCP sockets, in virtual time, with faults that are
// data.
//
// One goroutine is the wire. What is sent in one instant of virtual time is
// collected; when all other goroutines of the bubble wait for something, it is
// put in order (by link, by sockets, by sending) and only then sent on its way.
// So it does not matter in which order the goroutines happened to run. Whether a
// packet is lost, late, out of order or doubled is drawn from a hash of the
// seed, its flow (two sockets, one direction) and the instant: what happens in
// one flow changes nothing in another, nor an extra packet those after it.
//
// Not modelled: queues of routers, bandwidth but that of an access that hosts
// share, and the time that code takes. TCP is a model (tcp.go says of what); UDP
// needs none.
package netsim
