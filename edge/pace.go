package edge

import (
	"net/http"
	"runtime"
	"strconv"
	"time"

	"selvedge/edge/door"
	"selvedge/internal/config"
	"selvedge/wire"
)

// How many new sockets an edge takes per second and CPU unless told otherwise: a
// sixth of what the CPU can do where a socket costs some 80 us from accept to
// welcome (selvedge bench storm), and a quarter or so where it has to shake TLS'
// hands (BenchmarkDoor). The rest is for those who are connected, who are the more
// the longer a storm lasts, and for connections that are refused.
const (
	ratePerCPU    = 2000
	rateTLSPerCPU = 500
)

// acceptRate is --accept-rate: -1 = what this machine can be expected to do.
func acceptRate(want float64, tls bool) float64 {
	switch {
	case want >= 0:
		return want
	case tls:
		return float64(rateTLSPerCPU * runtime.GOMAXPROCS(0))
	}
	return float64(ratePerCPU * runtime.GOMAXPROCS(0))
}

// checkPace refuses what would let nobody in, or fewer than the rate says: those
// who wait are called every tenth of a second.
func checkPace(perSecond float64, burst int) error {
	switch {
	case perSecond != -1 && !(perSecond >= 0 && perSecond <= 1e6):
		return config.Usagef("--accept-rate %v: use 1 to 1000000 sockets per second, 0 for no limit, or -1 for what this machine can be expected to do", perSecond)
	case perSecond > 0 && perSecond < 1:
		return config.Usagef("--accept-rate %v: use 1 or more, or 0 for no limit", perSecond)
	case burst < 0:
		return config.Usagef("--accept-burst %d: use a positive number, or 0 for as many as come in a second", burst)
	case perSecond > 0 && burst > 0 && float64(burst) < perSecond/10:
		return config.Usagef("--accept-burst %d: use a tenth of --accept-rate %v at least, or 0 for as many as come in a second", burst, perSecond)
	}
	return nil
}

// refuse answers that there is no socket now: come again, or try another.
func refuse(w http.ResponseWriter, after time.Duration, why string) {
	w.Header().Set("Retry-After", strconv.FormatInt(door.RetryAfter(after), 10))
	fail(w, http.StatusServiceUnavailable, wire.Unavailable, why)
}

// admits says whether the rate has room for a socket that the door did not take.
func (n *edgeNode) admits() bool {
	d := n.door.Load()
	return d == nil || d.Admit()
}

// again is when a client is to come that would be refused now, in ms: a random
// time, so that not all come together. 0 = this edge refuses nobody for their
// number.
func (n *edgeNode) again() int64 {
	d := n.door.Load()
	if d == nil {
		return 0
	}
	return int64((d.Again() + time.Millisecond - 1) / time.Millisecond)
}
