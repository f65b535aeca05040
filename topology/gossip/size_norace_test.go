//go:build !race

package gossip

// size is how many nodes a large cluster has.
const size = 100
