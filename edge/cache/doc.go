// Package cache keeps what an edge knows of its logs: for each channel in use
// one contiguous range of frames, under a budget of bytes.
//
// A channel's range (floor, upto] holds every frame of the channel in it; upto
// is the position of the whole log, because the link delivers all interests of
// a log in order. So a reader that stands at or above the floor can be answered
// from memory, one below it needs a fill, and one below what the core still has
// meets a gap (rules 3 and 4). Frames are dropped oldest first, which raises
// floors; a hole raises the floor to its end.
//
// Frames are not kept in an LRU cache: a stream's old end is what nobody asks
// for again, and millions of list entries would be the garbage collector's.
package cache
