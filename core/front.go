package core

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"

	"selvedge/core/api"
	"selvedge/internal/telemetry"
)

// swapped is a handler that may become another one while it serves.
type swapped struct{ to atomic.Pointer[http.Handler] }

func (s *swapped) use(h http.Handler) { s.to.Store(&h) }

// ServeHTTP implements http.Handler.
func (s *swapped) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	(*s.to.Load()).ServeHTTP(w, r)
}

// front is a core's API port. It answers from the start: the core may wait long
// for the others, or read large logs, and whoever looks must see that it lives.
type front struct {
	swapped

	stop context.CancelFunc
	done chan struct{} // closed when nothing is served any more
	err  error         // set before done is closed
}

// openFront serves what a core without logs can say, until use; it takes ln.
func (n *coreNode) openFront(ctx context.Context, ln net.Listener, logger *slog.Logger) *front {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	f := &front{stop: stop, done: make(chan struct{})}
	f.use(n.health(api.Waiting()))
	go func() {
		defer close(f.done)
		f.err = api.Serve(ctx, ln, f, logger)
	}()
	return f
}

// run returns when ctx has ended and what was under way is answered, or the port
// has failed.
func (f *front) run(ctx context.Context) error {
	select {
	case <-ctx.Done():
	case <-f.done:
	}
	f.close()
	return f.err
}

func (f *front) close() {
	f.stop()
	<-f.done
}

// health is the API port with only health in front of a handler.
func (n *coreNode) health(calls http.Handler) *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("/healthz", telemetry.Alive())
	mux.Handle("/readyz", n.ready.Status())
	mux.Handle("/", calls)
	return mux
}

// back is what a core's admin port shows beside metrics and health: nothing but
// that it waits, until its console is there.
type back struct {
	swapped

	state atomic.Pointer[func() any]
}

func newBack(ready *telemetry.Ready) *back {
	b := &back{}
	b.use(api.Waiting())
	waiting := func() any { return Waiting{State: "waiting", For: ready.Reasons()} }
	b.state.Store(&waiting)
	return b
}

// Waiting is /varz of a core that has no logs yet.
type Waiting struct {
	State string   `json:"state"` // "waiting"
	For   []string `json:"for"`   // as /readyz has it
}

func (b *back) varz() any { return (*b.state.Load())() }
