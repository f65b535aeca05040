// Package tail keeps the recent end of one log in memory, where any number of
// readers follow it, each at its own pace.
//
// A reader is nothing but a position. A slow one holds no queue and no memory:
// it falls off the tail's start, is told so by Read, and goes on from wherever
// older records are kept. That is rule 13, "a slow link is a link that
// resumes", by construction; a queue per reader, which was the alternative,
// needs a bound, a rule for when it is full, and a way back.
//
// The price is that each reader looks at each record of the log once (a hash
// lookup, some 20 ns), wanted or not. The link's own cost per frame is a
// thousand times that.
package tail
