// Package gossip makes topology snapshots out of memberlist: it is the one
// adapter between the two, and carries liveness and each node's small
// description only.
//
// Everything is encrypted with the cluster's key; a node with another key, of a
// cluster with another name, or with a name that is taken is refused, told so, and
// counted. There is no leader and no order: each node sees the
// others come and go at about the same time.
package gossip
