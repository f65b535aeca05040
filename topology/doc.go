// Package topology answers who is where, who is near, and who does what for
// whom, as pure functions over a snapshot of the nodes: no I/O, no clock, no
// goroutine.
//
// Snapshots come from topology/gossip; places and latencies of regions from
// topology/region. Every node computes the same answers from the same snapshot,
// so nothing has to be elected or agreed upon: for the moment that two snapshots
// differ, two nodes may relay or serve the same log, which is harmless.
package topology
