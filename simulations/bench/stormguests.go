package bench

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"selvedge/edge/client"
	"selvedge/internal/identity"
	"selvedge/simulations/load"
)

// stormTime bounds each wait for the clients of a storm.
const stormTime = 5 * time.Minute

// guest is a client of a storm.
type guest struct {
	client *client.Client

	mu    sync.Mutex
	stay  *stay     // guarded by mu: where it is to be
	began time.Time // guarded by mu: its first try there
	tries int       // guarded by mu: there
}

// newGuest is the client of user n, which knows some edges.
func newGuest(n int, edges ...string) (*guest, error) {
	now := time.Now()
	token, err := identity.Sign([]byte(identity.DevTokenSecret),
		identity.Claims{User: load.UserID(userPrefix, n), Expires: now.Add(12 * time.Hour)}, now)
	if err != nil {
		return nil, err
	}
	g := &guest{}
	g.client, err = client.New(client.Config{
		Edges: edges, Static: true, Objects: -1,
		Token:  func(context.Context) (string, error) { return token, nil },
		Events: client.Events{State: g.state},
	})
	return g, err
}

// goesTo says where it is to be from now on.
func (g *guest) goesTo(h *stay) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stay, g.tries = h, 0
}

// state is for client.Events.
func (g *guest) state(st client.State) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if st.URL != g.stay.url {
		return
	}
	switch st.Kind {
	case client.Connecting:
		if g.tries++; g.tries == 1 {
			g.began = time.Now()
			g.stay.first.Add(1)
		}
	case client.Connected:
		g.stay.welcome(time.Since(g.began), g.tries)
	default:
	}
}

// stay are clients that are to be welcome at an edge. Safe for concurrent use.
type stay struct {
	url   string // of the edge; fixed
	want  int    // fixed
	first atomic.Int64

	mu  sync.Mutex
	in  arrivals      // guarded by mu
	all chan struct{} // closed when all are there
}

func newStay(url string, want int) *stay {
	h := &stay{url: url, want: want, all: make(chan struct{})}
	if want == 0 {
		close(h.all)
	}
	return h
}

// welcome counts a client that is.
func (h *stay) welcome(took time.Duration, tries int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.in.millis = append(h.in.millis, float64(took)/1e6)
	h.in.tries += tries
	if tries == 1 {
		h.in.atOnce++
	}
	if len(h.in.millis) == h.want {
		close(h.all)
	}
}

// tried waits until so many have tried to come.
func (h *stay) tried(ctx context.Context, n int) error {
	for end := time.Now().Add(stormTime); h.first.Load() < int64(n); {
		if time.Now().After(end) {
			return fmt.Errorf("%d of %d clients have tried to come to %s after %s", h.first.Load(), n, h.url, stormTime)
		}
		if err := settle(ctx, pace); err != nil {
			return err
		}
	}
	return nil
}

// full waits until all are there.
func (h *stay) full(ctx context.Context) error {
	select {
	case <-h.all:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(stormTime):
	}
	return fmt.Errorf("%d of %d clients are at %s after %s", len(h.arrivals().millis), h.want, h.url, stormTime)
}

func (h *stay) arrivals() arrivals {
	h.mu.Lock()
	defer h.mu.Unlock()
	in := h.in
	in.millis = slices.Sorted(slices.Values(h.in.millis))
	return in
}

// arrivals are what it took clients to come in.
type arrivals struct {
	millis []float64 // from the first try of each to its welcome, sorted
	atOnce int       // came in by their first try
	tries  int       // of all
}

// show adds them to a table.
func (a arrivals) show(r *Result, what string) {
	n := float64(len(a.millis))
	r.show(what, "", n)
	if n == 0 {
		return
	}
	r.show("  median from the first try to the welcome", "ms", quantile(a.millis, 0.5))
	r.show("  p99", "ms", quantile(a.millis, 0.99))
	r.show("  in by the first try", "%", 100*float64(a.atOnce)/n)
	r.show("  told to come again, each", "", float64(a.tries)/n-1)
}
