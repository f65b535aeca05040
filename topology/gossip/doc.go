// Package gossip makes topology snapshots out of memberlist: it is the one
// adapter between the two, and carries liveness and each node's small
// description only.
//
// Everything is encrypted with the cluster's key; a node with another key is
// refused, and told so. There is no leader and no order: each node sees the
// others come and go at about the same time.
package gossip
