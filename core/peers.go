package core

import (
	corelog "selvedge/core/log"
	"selvedge/topology"
	"selvedge/topology/gossip"
)

// logPeers is how the cores of a cluster know each other: by gossip.
type logPeers struct {
	gossip *gossip.Gossip
	self   topology.NodeID
}

// Announce implements corelog.Peers.
func (p logPeers) Announce(self corelog.Peer) error {
	return p.gossip.Update(func(n *topology.Node) { n.Log = corelog.PeerText(self) })
}

// Peers implements corelog.Peers.
func (p logPeers) Peers() []corelog.Peer {
	var peers []corelog.Peer
	for _, n := range p.gossip.Snapshot().Nodes() {
		if n.Role != topology.RoleCore || n.Log == "" || n.ID == p.self {
			continue
		}
		peer := corelog.ParsePeer(n.Log)
		peer.Name, peer.Ready = string(n.ID), n.State == topology.StateReady
		peers = append(peers, peer)
	}
	return peers
}

// Watch implements corelog.Peers.
func (p logPeers) Watch() (<-chan struct{}, func()) { return p.gossip.Watch() }
