// Package replica is a replicated log for simulations: the logs of several
// cores, in memory, over the links of a simulated network.
//
// It keeps the promises of core/log for three cores, and uses the liberties that
// these leave. An append goes to the log's leader and from there to the nearest
// other core; it is acknowledged when both have it, if the answer finds its way
// back. Else its outcome is unknown: it may be in the log. A core that is cut
// from the others appends nothing, and reads what its own copy has. A copy may be
// behind by up to a second for no reason at all. A leader that has lost the
// majority is replaced after some seconds.
//
// What a copy has survives its process, but not Cluster.PowerLoss.
package replica
