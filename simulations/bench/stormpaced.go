package bench

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"selvedge/edge/client"
	"selvedge/internal/config"
	"selvedge/internal/identity"
	"selvedge/simulations/fleet"
	"selvedge/simulations/load"
)

const (
	// newShare is the part of the clients that are new, 1 in so many: they come to
	// the limited edge when the others do.
	newShare = 10
	// mostPaced is how many clients this process holds, under the usual limit of
	// 20,000 files.
	mostPaced = 15_000
	// stormTime bounds the wait for all of them.
	stormTime = 5 * time.Minute
)

// pacedStorm is a storm at an edge that takes so many sockets per second, of
// clients that do what the SDK does: an edge without a limit holds them, and is
// killed.
type pacedStorm struct {
	*StormCommand
	*rig

	quiet, edge *fleet.Node
	in          time.Duration // CPU of the quiet edge, for all that came to it
	used        time.Duration // CPU of the edge, from the kill to the last welcome, beside idle
	idle        float64       // CPU of the edge without sockets, in CPUs
	result      scrape        // of the edge, over the same time
	back, fresh []float64     // ms from the kill to the welcome, sorted
	took        time.Duration // to the last of them
}

// measurePaced is measure with a limit.
func (c *StormCommand) measurePaced(ctx context.Context, stdio *config.IO) (*Result, error) {
	if c.Sockets > mostPaced {
		return nil, config.Usagef("--sockets %d: at most %d with --rate", c.Sockets, mostPaced)
	}
	if c.TLS {
		return nil, config.Usagef("--rate is measured without --tls")
	}
	r, err := newRig(ctx, "bench storm", stdio, c.Sockets, c.edgeFlags)
	s := &pacedStorm{StormCommand: c, rig: r}
	if err == nil {
		err = s.run(ctx)
	}
	if err = r.end(err); err != nil {
		return nil, err
	}
	return s.table(), nil
}

func (s *pacedStorm) run(ctx context.Context) error {
	s.progress("%d users in %d of %d rooms each", s.Sockets, s.PerUser, s.Rooms)
	if err := s.populate(ctx, s.Sockets, s.Rooms, s.PerUser); err != nil {
		return err
	}
	s.quiet = s.fleet.Edges[0]
	var err error
	if s.edge, err = s.fleet.StartEdge(ctx, place, "--transport", s.Transport, "--accept-rate", fmt.Sprint(s.Rate)); err != nil {
		return err
	}
	clients, stop := context.WithCancel(ctx)
	var running errgroup.Group
	defer func() {
		stop()
		_ = running.Wait() // each ends with the context's error
	}()
	return s.storm(ctx, func(c *client.Client) { running.Go(func() error { return c.Run(clients) }) })
}

// storm has all clients come to the quiet edge, kills it, and waits until all are
// at the other.
func (s *pacedStorm) storm(ctx context.Context, start func(*client.Client)) error {
	fresh := s.Sockets / newShare
	held := s.newStay(s.Sockets-fresh, s.quiet.URL)
	begun := time.Now()
	idle, err := load.CPU(s.edge.PID())
	if err != nil {
		return err
	}
	before, err := load.CPU(s.quiet.PID())
	if err != nil {
		return err
	}
	s.progress("%d clients come to an edge without a limit", held.want)
	for i := range held.want {
		c, err := s.client(i, held, s.quiet.URL, s.edge.URL)
		if err != nil {
			return err
		}
		start(c)
	}
	if err := held.full(ctx); err != nil {
		return err
	}
	if err := settle(ctx, quiet); err != nil {
		return err
	}
	now, err := load.CPU(s.quiet.PID())
	if err != nil {
		return err
	}
	s.in = now - before
	idleNow, err := load.CPU(s.edge.PID())
	if err != nil {
		return err
	}
	s.idle = float64(idleNow-idle) / float64(time.Since(begun))
	return s.kill(ctx, held, fresh, start)
}

// kill kills the quiet edge.
func (s *pacedStorm) kill(ctx context.Context, held *stay, fresh int, start func(*client.Client)) error {
	s.progress("it is killed: %d come to one that takes %g per second, and %d new ones", held.want, s.Rate, fresh)
	cpu, err := load.CPU(s.edge.PID())
	if err != nil {
		return err
	}
	counts, err := scrapeNode(ctx, s.edge.Admin)
	if err != nil {
		return err
	}
	killed := time.Now()
	back, strangers := s.newStay(held.want, s.edge.URL), s.newStay(fresh, s.edge.URL)
	held.next.Store(back)
	s.quiet.Kill()
	for i := range fresh {
		c, err := s.client(held.want+i, strangers, s.edge.URL)
		if err != nil {
			return err
		}
		start(c)
	}
	for _, h := range []*stay{back, strangers} {
		if err := h.full(ctx); err != nil {
			return err
		}
	}
	s.back, s.fresh = back.millis(killed), strangers.millis(killed)
	s.took = time.Since(killed)
	after, err := load.CPU(s.edge.PID())
	if err != nil {
		return err
	}
	s.used = after - cpu - time.Duration(s.idle*float64(s.took))
	now, err := scrapeNode(ctx, s.edge.Admin)
	if err != nil {
		return err
	}
	s.result = now.since(counts)
	return nil
}

// client is that of user n, which tells a stay of its welcome.
func (s *pacedStorm) client(n int, h *stay, edges ...string) (*client.Client, error) {
	now := time.Now()
	token, err := identity.Sign([]byte(identity.DevTokenSecret),
		identity.Claims{User: load.UserID(userPrefix, n), Expires: now.Add(12 * time.Hour)}, now)
	if err != nil {
		return nil, err
	}
	return client.New(client.Config{
		Edges: edges, Static: true, Objects: -1,
		Token:  func(context.Context) (string, error) { return token, nil },
		Events: client.Events{State: h.state},
	})
}

// stay are clients that are to be welcome at an edge. Safe for concurrent use.
type stay struct {
	url  string               // of the edge; fixed
	want int                  // fixed
	next atomic.Pointer[stay] // where they go when the edge is killed

	mu    sync.Mutex
	times []time.Time   // guarded by mu: of welcomes
	all   chan struct{} // closed when all are there
}

func (*pacedStorm) newStay(want int, url string) *stay {
	h := &stay{url: url, want: want, all: make(chan struct{})}
	if want == 0 {
		close(h.all)
	}
	return h
}

// state is for client.Events.
func (h *stay) state(st client.State) {
	if st.Kind != client.Connected {
		return
	}
	if st.URL != h.url {
		if h = h.next.Load(); h == nil || st.URL != h.url {
			return
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.times = append(h.times, time.Now()); len(h.times) == h.want {
		close(h.all)
	}
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
	h.mu.Lock()
	defer h.mu.Unlock()
	return fmt.Errorf("%d of %d clients are at %s after %s", len(h.times), h.want, h.url, stormTime)
}

// millis is how long each took, sorted.
func (h *stay) millis(since time.Time) []float64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []float64
	for _, t := range h.times {
		out = append(out, float64(t.Sub(since))/1e6)
	}
	slices.Sort(out)
	return out
}

// table is the result.
func (s *pacedStorm) table() *Result {
	r := newResult("bench storm --rate", s.StormCommand, s.Quick)
	count := func(result string) float64 { return s.result[`selvedge_edge_accepts_total{result="`+result+`"}`] }
	held := len(s.back)
	free := micros(s.in, held)
	r.show("clients whose edge was killed, and that are back", "", float64(held))
	r.show("  median until they were", "ms", quantile(s.back, 0.5))
	r.show("  p99", "ms", quantile(s.back, 0.99))
	r.show("new clients that are in", "", float64(len(s.fresh)))
	if len(s.fresh) > 0 {
		r.show("  median until they were", "ms", quantile(s.fresh, 0.5))
		r.show("  p99", "ms", quantile(s.fresh, 0.99))
	}
	r.show("until all are in", "s", s.took.Seconds())
	r.show("  sockets taken per second", "1/s", float64(s.Sockets)/s.took.Seconds())
	r.show("refused by 503 with Retry-After", "", count("rate"))
	r.show("closed at accept", "", count("shed"))
	r.show("edge CPU per client welcomed without a limit", "us", free)
	r.show("edge CPU per client welcomed in the storm, refusals included", "us", micros(s.used, s.Sockets))
	r.note("clients are Go SDKs; those whose edge is killed know both edges. The limited one takes %g sockets per second and as many at once, so that all could be in after %.1f s",
		s.Rate, max(0, float64(s.Sockets)-s.Rate)/s.Rate)
	r.note("what an edge without sockets uses, %.1f %% of a CPU, is taken off; what each refusal costs, BenchmarkDoor in edge/door tells", 100*s.idle)
	r.note("the clients are in this process, on the same machine: their CPU makes the edge's dearer")
	return r
}
