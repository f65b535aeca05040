package core

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"selvedge/core/api"
)

const (
	// lastCallQuiet is how long nobody must have asked for anything before the API's
	// port is closed, and lastCallMost how long that is waited for.
	lastCallQuiet = 100 * time.Millisecond
	lastCallMost  = time.Second
	// lastCallLook paces the look.
	lastCallLook = 10 * time.Millisecond
)

// lastCall is how the API of a core that stops parts with those who call it. A
// server that just closes cuts connections on which a request is on its way, and
// nobody knows what became of it. So each answer of a core that drains asks for
// another connection, and when it has nothing more to give, calls are answered
// with 503 until there are none. Its methods are safe for concurrent use.
type lastCall struct {
	leaving atomic.Bool               // no connection is kept
	asked   atomic.Pointer[time.Time] // when the last call was answered with 503; nil = calls are served
}

// leave has each answer be the last one on its connection.
func (l *lastCall) leave() { l.leaving.Store(true) }

// wait has calls answered with 503, and returns when there are no more, at the
// latest after lastCallMost, or when ctx ends.
func (l *lastCall) wait(ctx context.Context) {
	l.leave()
	start := time.Now()
	l.asked.Store(&start)
	t := time.NewTicker(lastCallLook)
	defer t.Stop()
	for time.Since(start) < lastCallMost && time.Since(*l.asked.Load()) < lastCallQuiet {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// handler is next, as long as it is served.
func (l *lastCall) handler(next http.Handler) http.Handler {
	refusing := api.Stopping()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if l.leaving.Load() {
			w.Header().Set("Connection", "close")
		}
		if l.asked.Load() != nil && strings.HasPrefix(r.URL.Path, "/v1/") {
			now := time.Now()
			l.asked.Store(&now)
			refusing.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}
