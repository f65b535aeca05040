//go:build race

package gossip

// size is how many nodes a large cluster has: with the race detector a hundred
// would take minutes.
const size = 20
