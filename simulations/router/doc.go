// Package router moves the IP packets of network namespaces of its own from one
// to another in real time, as late, and with as much loss, as package netsim
// moves those of a simulated network.
package router
