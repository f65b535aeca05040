package geo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	backend "selvedge/core/client"
	"selvedge/edge/client"
	"selvedge/internal/identity"
	"selvedge/simulations/fleet"
	"selvedge/simulations/netsim"
	"selvedge/simulations/world"
	"selvedge/wire"
)

// crowd is everybody who publishes or listens in a world.
type crowd struct {
	p   *plan
	on  ground
	rec *recorder

	publishers []*backend.Client // by region
	members    []*member
	transports []*http.Transport
	padding    string
}

// member is a client, or the probe of an edge: a client on the edge's own host, whom
// everything reaches in the instant in which the edge writes it.
type member struct {
	user   string
	region int
	edge   int // of a probe; -1 = a client
	access *Access
	host   netsim.Host

	cancel context.CancelFunc
	done   chan struct{} // closed when Run has ended
	err    error         // set before done is closed
}

func newCrowd(p *plan, on ground, rec *recorder) *crowd {
	c := &crowd{p: p, on: on, rec: rec, padding: strings.Repeat("x", p.scenario.MessageBytes)}
	for r := range p.atlas.regions {
		c.publishers = append(c.publishers, c.backend(firstPublisher+netsim.Host(r)))
	}
	return c
}

// backend is a client of the core's API, on a host.
func (c *crowd) backend(host netsim.Host) *backend.Client {
	return &backend.Client{BaseURL: c.on.core, Key: c.on.apiKey, HTTP: c.http(host), Retries: -1}
}

// http is a client on a host.
func (c *crowd) http(host netsim.Host) *http.Client {
	t := &http.Transport{MaxIdleConnsPerHost: 64, DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) { return c.on.dial(ctx, host, addr) }}
	c.transports = append(c.transports, t)
	return &http.Client{Transport: t}
}

func (c *crowd) room(i int) wire.RoomID { return wire.RoomID(fmt.Sprintf("r%d", i)) }

// come makes the rooms, starts everybody, and returns when all were welcomed.
func (c *crowd) come(ctx context.Context) error {
	var users []wire.UserID
	for i, r := range c.p.edges {
		c.members = append(c.members, &member{user: fmt.Sprintf("probe-%d", i), region: r, edge: i, host: world.EdgeHost(i)})
	}
	for r := range c.p.atlas.regions {
		for i := range c.p.clients {
			host := c.p.clientHost(r, i)
			c.members = append(c.members, &member{user: fmt.Sprintf("u%d-%d", r, i), region: r, edge: -1, host: host, access: c.p.access(r*7 + i)})
		}
	}
	for _, m := range c.members {
		users = append(users, wire.UserID(m.user))
	}
	api := c.backend(backendHost)
	for i := range c.p.scenario.Rooms {
		if _, err := api.PutRoom(ctx, c.room(i), backend.Document{Data: emptyMap}); err != nil {
			return err
		}
		if _, err := api.ChangeMembers(ctx, c.room(i), users, nil); err != nil {
			return err
		}
	}
	for i, m := range c.members {
		if err := c.start(ctx, i, m); err != nil {
			return err
		}
		if err := wait(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	for begin := c.on.since(); c.rec.welcomed() < len(c.members); {
		if c.on.since()-begin > patience {
			return fmt.Errorf("%d of %d clients were welcomed within %v", c.rec.welcomed(), len(c.members), patience)
		}
		if err := wait(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// start has a member run.
func (c *crowd) start(ctx context.Context, i int, m *member) error {
	now := time.Now()
	token, err := identity.Sign(c.on.secret, identity.Claims{User: m.user, Expires: now.Add(100 * time.Hour)}, now)
	if err != nil {
		return err
	}
	edges, static := c.edgesFor(i, m)
	run, err := client.New(client.Config{
		Edges: edges, Static: static, Nearest: !static, Objects: -1,
		Dial:   func(ctx context.Context, _, addr string) (net.Conn, error) { return c.on.dial(ctx, m.host, addr) },
		Token:  func(context.Context) (string, error) { return token, nil },
		Events: c.rec.join(m),
	})
	if err != nil {
		return err
	}
	ctx, m.cancel = context.WithCancel(context.WithoutCancel(ctx))
	m.done = make(chan struct{})
	go func() {
		m.err = run.Run(ctx)
		close(m.done)
	}()
	return nil
}

// edgesFor are the edges that a member knows at first, and whether it keeps to them: those
// of its region, or of the core's, by turns; the probe of an edge knows that one. Where
// there is trouble, clients learn of the others, as they do by default.
func (c *crowd) edgesFor(i int, m *member) (urls []string, static bool) {
	if m.edge >= 0 {
		return []string{c.on.edges[m.edge]}, true
	}
	home := m.region
	if c.p.central {
		home = c.p.atlas.core
	}
	for k, r := range c.p.edges {
		if r == home {
			urls = append(urls, c.on.edges[k])
		}
	}
	at := i % len(urls)
	return slices.Concat(urls[at:], urls[:at]), !c.p.trouble
}

// warm opens connections from each publisher to the core, so that no publish waits for
// a handshake.
func (c *crowd) warm(ctx context.Context) error {
	const connections = 4
	errs := make(chan error)
	for _, b := range c.publishers {
		for range connections {
			go func() {
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.BaseURL+"/readyz", http.NoBody)
				if err == nil {
					var res *http.Response
					if res, err = b.HTTP.Do(req); err == nil {
						_, err = io.Copy(io.Discard, res.Body) // else it is not used again
						_ = res.Body.Close()
					}
				}
				errs <- err
			}()
		}
	}
	var all []error
	for range connections * len(c.publishers) {
		all = append(all, <-errs)
	}
	return errors.Join(all...)
}

// publish publishes as the plan says, and returns when all has an answer.
func (c *crowd) publish(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	begin := time.Now()
	var wg sync.WaitGroup
	for r := range c.publishers {
		wg.Go(func() {
			dice, rooms := c.p.dice(1, r), c.p.scenario.Rooms
			var at time.Duration
			for k := r; ; k++ {
				// Of the plan alone: in real time, what is late makes nothing later.
				at += time.Duration(dice.ExpFloat64() / c.p.peak * float64(time.Second))
				if at >= c.p.last || wait(ctx, at-time.Since(begin)) != nil {
					return
				}
				if dice.Float64()*c.p.peak >= c.p.rate(r, at) {
					continue
				}
				wg.Go(func() {
					if err := c.publishOne(ctx, r, k%rooms); err != nil {
						cancel(err)
					}
				})
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return wait(ctx, max(0, c.p.last-time.Since(begin)))
}

func (c *crowd) publishOne(ctx context.Context, region, room int) error {
	n := c.rec.sends(region)
	data, err := wire.ParseJSON(fmt.Appendf(nil, `{"n":%d,"text":%q}`, n, c.padding))
	if err != nil {
		return err
	}
	ch := wire.Channel("room:" + c.room(room))
	if _, err := c.publishers[region].Publish(ctx, backend.Message{Channel: ch, Data: data, MsgID: messageID(n)}); err != nil {
		return fmt.Errorf("publish from %s: %w", c.p.atlas.names[region], err)
	}
	return nil
}

// oceanFrames is how many frames a region's edges had from another region so far, by
// region; none of the core's.
func (c *crowd) oceanFrames(ctx context.Context) ([]int64, error) {
	sums := make([]int64, len(c.p.atlas.regions))
	h := c.http(backendHost) // a node dials others at times of its own, so which ports are free there varies
	for i, r := range c.p.edges {
		if r == c.p.atlas.core {
			continue
		}
		m, err := metrics(ctx, h, fmt.Sprintf("http://%v/metrics", world.EdgeHost(i).Addr(world.AdminPort)))
		if err != nil {
			return nil, err
		}
		sums[r] += int64(m[`selvedge_link_frames_total{direction="in",scope="ocean"}`])
	}
	return sums, nil
}

func metrics(ctx context.Context, h *http.Client, url string) (fleet.Metrics, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	res, err := h.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	return fleet.ParseMetrics(res.Body)
}

// leave ends everybody.
func (c *crowd) leave() error {
	var errs []error
	for _, m := range c.members {
		if m.cancel == nil {
			continue
		}
		m.cancel()
		<-m.done
		if !errors.Is(m.err, context.Canceled) {
			errs = append(errs, fmt.Errorf("client of %s: %w", m.user, m.err))
		}
	}
	for _, t := range c.transports {
		t.CloseIdleConnections()
	}
	return errors.Join(errs...)
}
