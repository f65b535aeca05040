// Package netsim is a simulated packet network for testing/synctest bubbles:
// real code over UDP and TCP sockets, in virtual time, with faults that are
// data.
//
// One goroutine is the wire. What is sent in one instant of virtual time is
// collected; when all other goroutines of the bubble wait for something, it is
// put in order (by link, by sockets, by sending) and only then sent on its way.
// So it matters in two cases only in which order the goroutines happened to run in
// an instant: ports that are taken from the free ones, of Dial and of port 0, go to
// them in that order, and what two of them send by one socket is in that order. Whether a
// packet is lost, late, out of order or doubled is drawn from a hash of the
// seed, its flow (two sockets, one direction) and the instant: what happens in
// one flow changes nothing in another, nor an extra packet those after it.
//
// Not modelled: queues of routers, bandwidth but that of an access that hosts
// share, and the time that code takes. TCP is a model (tcp.go says of what); UDP
// needs none.
package netsim
