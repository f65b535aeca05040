// Package world runs a whole cluster in virtual time: the real core, edges,
// gossip and clients in one testing/synctest bubble, over a simulated network
// whose faults are data, and keeps account of every message.
package world
