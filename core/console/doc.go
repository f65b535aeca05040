// Package console is the map that a core shows to people: its nodes, links and
// relays, and how they are doing, as the links and gossip tell.
package console
