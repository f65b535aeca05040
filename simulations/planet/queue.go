package planet

// paced is how long a publish waits until its last receipt when n gateways get rate
// publishes per second for some seconds, in ms, the median; busy is the part of the
// machine that is at work. Publishes that come before the machine is done with the last
// wait for their turn: as in a queue with random arrivals and equal work (M/D/1) below
// what the machine can do, and above it behind a backlog that grows for as long as it
// lasts. What nodes save by taking several frames at once when they are behind is not in
// it, so this is too long where much comes at once.
func (t *Tier) paced(n int, rate, seconds float64, cpus int) (ms, busy float64) {
	work := (t.Centre.at(n) + t.Relays.at(n) + t.Clients.at(n)) / 1e6 // seconds of one CPU
	busy = rate * work / float64(max(cpus, 1))
	queued := min(busy, almost)
	ms = t.Last.at(n) * (1 + queued/(2*(1-queued)))
	return ms + max(busy-1, 0)*seconds*1e3/2, busy
}

// almost is how busy a queue is taken to be at most: an endless one takes forever.
const almost = 0.95
