package planet

// last is how long a publish to n gateways takes until the last receipt, in ms, the
// median, on a machine of that many CPUs. Up to what was measured it is the law of that.
// Past it each gateway more takes the CPU time that it needs: of all CPUs, as far as links
// that say nothing but that they live leave any, or of the centre's one thread. In a short
// burst the first receipts each wake somebody up, and the machine is not yet at work with
// all it has, so a line through short bursts is too steep for long ones. ok is false where
// idle links alone nearly fill the machine: then it says nothing.
func (t *Tier) last(n, cpus int) (ms float64, ok bool) {
	if n <= t.At {
		return t.Last.at(n), true
	}
	free := 1 - t.idle(n, cpus)
	if free < 1-almost {
		return 0, false
	}
	each := (t.Centre.Per + t.Relays.Per + t.Clients.Per) / float64(max(cpus, 1)) / free
	return t.Last.at(t.At) + float64(n-t.At)*max(each, t.Thread.Per)/1e3, true
}

// idle is the part of the machine that n gateways take with nothing published.
func (t *Tier) idle(n, cpus int) float64 { return t.Idle.at(n) / 1e3 / float64(max(cpus, 1)) }

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
	ms, ok := t.last(n, cpus)
	if !ok {
		ms = t.Last.at(n) / (1 - almost)
	}
	ms *= 1 + queued/(2*(1-queued))
	return ms + max(busy-1, 0)*seconds*1e3/2, busy
}

// almost is how busy a queue is taken to be at most: an endless one takes forever.
const almost = 0.95
