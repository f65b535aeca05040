// Package upstream follows the logs for an edge: it takes each from the core
// that serves it, where the edge left off, moves it when another core serves it
// or its link fails, and keeps the cores' picture of the edge's interests true
// across all that.
//
// # Who serves what
//
// Each log has an order of the cores, by rendezvous hashing over what gossip
// knows (topology.Serving): ready ones first, then draining ones. It is followed
// at the first that can be reached and has it. There is one link to each core
// that serves a log, made and kept by a goroutine of its own, so that a dead core
// holds up nobody. One goroutine, Run, plans: it looks at what gossip says, which
// links are up and which logs are silent, and places each log (plan.go).
//
// # How a log moves
//
// Its stream ends before another begins: it is closed at the old core, what was
// sent until then is taken, and it is opened at the new one from the sink's
// position, with all interests. What waits for a marker is sent again. A core
// that is left for a fault is taken back after a pause that grows.
//
// # Epochs
//
// The first core of the state log decides: another epoch than the one that is
// followed is believed from it alone. All links are closed then, and the sink
// begins afresh. Cores that have yet to agree are refused until they do.
package upstream
