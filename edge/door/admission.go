package door

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

const (
	// acceptShare is how many times Config.Rate connections come in: whoever asks
	// for a socket may have asked for the edges and a ping before, health checks
	// come too, and those who are told when to come again come in time, where the
	// others guess. To tell costs less than half of what it costs to welcome one,
	// but by TLS five times that: hence tlsAcceptShare. What comes still faster is
	// closed at accept, for a fifth of it (BenchmarkDoor).
	acceptShare    = 4
	tlsAcceptShare = 2
	// leastWindow and mostWindow bound what clients are spread over that are told
	// to come again.
	leastWindow, mostWindow = time.Second, 30 * time.Second
)

// admission paces new sockets: a bucket of tokens that refills at Config.Rate,
// one token a socket; who finds none waits in a line, and who finds no place
// there is refused. A nil admission admits everybody. Safe for concurrent use.
type admission struct {
	perSecond float64       // fixed: tokens
	sockets   *rate.Limiter // of sockets
	accepts   *rate.Limiter // of connections, whatever they want
	back      refusals      // of those who come back
	fresh     refusals      // of all others
	waiting   atomic.Int64  // in all lines
}

// newAdmission is nil if there is no limit. burst is 1 at least; of connections
// share times as many come in as of sockets.
func newAdmission(perSecond float64, burst, share int) *admission {
	if perSecond <= 0 {
		return nil
	}
	return &admission{
		perSecond: perSecond,
		sockets:   rate.NewLimiter(rate.Limit(perSecond), burst),
		accepts:   rate.NewLimiter(rate.Limit(float64(share)*perSecond), share*burst),
	}
}

// accept says whether one more connection is taken in.
func (a *admission) accept(now time.Time) bool {
	if a == nil || a.accepts.AllowN(now, 1) {
		return true
	}
	a.refuse(now, false)
	return false
}

// admit says whether a socket is taken now that will not wait. It comes after
// all who wait.
func (a *admission) admit(now time.Time) bool {
	if a == nil || a.waiting.Load() == 0 && a.sockets.AllowN(now, 1) {
		return true
	}
	a.refuse(now, false)
	return false
}

// refuse counts one who is refused, and may come back.
func (a *admission) refuse(now time.Time, back bool) {
	if back {
		a.back.add(now)
	} else {
		a.fresh.add(now)
	}
}

// window is what those who are refused now are to be spread over, so that they
// come again as fast as they can be taken in: those who come back over the first
// part, up to back, all others over the rest. Both 0 = nobody was refused lately.
func (a *admission) window(now time.Time) (back, all time.Duration) {
	if a == nil {
		return 0, 0
	}
	takes := func(r *refusals, most time.Duration) time.Duration {
		n := r.perSecond(now)
		if n == 0 {
			return 0
		}
		return min(max(time.Duration(float64(n)/a.perSecond*float64(time.Second)), leastWindow), most)
	}
	back = takes(&a.back, mostWindow*(freshShare-1)/freshShare)
	return back, back + takes(&a.fresh, mostWindow-back)
}

// again is when one is to come again of whom it is not known whether it comes
// back: any moment of the window, so that they don't come together again. 0 =
// nobody was refused lately.
func (a *admission) again(now time.Time) time.Duration {
	_, all := a.window(now)
	return moment(0, all)
}

// refused is the same for one who is refused now.
func (a *admission) refused(now time.Time, comesBack bool) time.Duration {
	back, all := a.window(now)
	if comesBack {
		return moment(0, back)
	}
	return moment(back, all)
}

// moment is one after from, up to to; 0 if there is none.
func moment(from, to time.Duration) time.Duration {
	if from >= to {
		return 0
	}
	return from + 1 + rand.N(to-from)
}

// refusals counts them in this second and the last.
type refusals struct {
	mu        sync.Mutex
	second    int64 // guarded by mu
	now, last int   // guarded by mu
}

func (r *refusals) add(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.turnLocked(now)
	r.now++
}

// perSecond is the larger of both seconds.
func (r *refusals) perSecond(now time.Time) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.turnLocked(now)
	return max(r.now, r.last)
}

func (r *refusals) turnLocked(now time.Time) {
	switch s := now.Unix(); s - r.second {
	case 0:
	case 1:
		r.second, r.last, r.now = s, r.now, 0
	default: // also after a clock that was set back
		r.second, r.last, r.now = s, 0, 0
	}
}
