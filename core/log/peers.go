package log

import "strings"

// Peer is another core that keeps a copy of the logs, as gossip tells.
type Peer struct {
	Name string
	// Addr is where its log is reached (host:port, TCP).
	Addr string
	// Doubt says that its copy may lack a tail, and names this start of it: see
	// shared.go. "" = its copy is whole.
	Doubt string
	// Ready says that its log is open.
	Ready bool
}

// Peers is how the cores of a cluster know each other. Its methods are called
// from any goroutine.
type Peers interface {
	// Announce tells the others this core's Addr and Doubt.
	Announce(self Peer) error
	// Peers are the other cores that keep copies, as far as they are known now.
	Peers() []Peer
	// Watch returns a channel that gets a token when Peers may have changed, and a
	// function that ends it.
	Watch() (<-chan struct{}, func())
}

// PeerText is a peer's address and doubt in one word, for gossip.
func PeerText(p Peer) string {
	if p.Doubt == "" {
		return p.Addr
	}
	return p.Addr + "?" + p.Doubt
}

// ParsePeer is the reverse of PeerText; the rest of the Peer is zero.
func ParsePeer(text string) Peer {
	addr, doubt, _ := strings.Cut(text, "?")
	return Peer{Addr: addr, Doubt: doubt}
}
