// Package chain remembers, for one frame log, every channel's last frame and
// each frame's predecessor, on disk beside the log.
//
// The log could tell both, by reading all of it at each start. But what it has
// trimmed it tells no more, and then a channel that nobody has written to for
// long can't be told from one whose frames were lost: every reader of it would
// be told of a gap that there is not. So the positions outlive the frames.
//
// # On disk
//
//   - NN.last, the snapshot: how far the log was read, and 24 bytes for each
//     channel, under one checksum. Replaced as a whole, by rename.
//   - NN-SSSSSS.prev: pages of 4 KiB with the predecessors of 510 frames each,
//     under a checksum per page. A segment of 522,240 frames is removed when the
//     log has trimmed all of them.
//
// Both belong to an epoch. A snapshot that is missing, damaged, or of another
// epoch means that the log is read from its beginning; a page like that means
// that those predecessors are not known. Nothing is written in place that a
// reader of the snapshot counts on, so a process killed at any moment loses only
// what came after its last snapshot, and reads that again.
//
// # In memory
//
// 35 to 56 bytes a channel (BenchmarkMemory), and the predecessors since the
// last snapshot. With more channels than Config.Channels, those that were quiet
// longest and have no frames left are forgotten; what is then not known is said
// to be lost rather than not.
package chain
