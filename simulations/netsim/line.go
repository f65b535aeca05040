package netsim

// Line is one direction between two hosts without a network around it, for who
// moves real packets as a Network moves simulated ones: all of them are one flow.
// Not safe for concurrent use.
type Line struct {
	seed uint64
	path Path
	flow flow
}

// NewLine is the direction from one host to another, before its first packet.
func NewLine(seed uint64, from, to Host, path Path) *Line {
	return &Line{seed: seed, path: path, flow: flow{id: uint64(from)<<32 | uint64(to)}}
}

// Next says what becomes of the next packet, which is sent at a time in
// nanoseconds on a clock of the caller's: when it arrives, and how often, 0 to 2.
// Times must not go back.
func (l *Line) Next(now int64) (arrivals [2]int64, times int) {
	return l.flow.fate(l.seed, l.path, now)
}
