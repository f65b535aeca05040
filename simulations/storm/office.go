package storm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	backend "selvedge/core/client"
	"selvedge/edge"
	"selvedge/simulations/bubble"
	"selvedge/simulations/netsim"
	"selvedge/simulations/world"
	"selvedge/topology/region"
)

const (
	// settleTime is for gossip to tell everybody of everybody, and edges to choose
	// relays.
	settleTime = 30 * time.Second
	// patience bounds each wait for the office's clients: the longest backoff, a dial
	// that is given up, and a welcome that never comes, some times over.
	patience = 5 * time.Minute
	// calm is what is looked at before the outage, and after all are back.
	calm = 10 * time.Second
)

// Hosts of an office beside the world's own: what reads metrics, and its addresses.
const (
	reader       = world.FreeHosts
	firstAddress = world.FreeHosts + 1
)

// office is one world: a variant of the scenario's office.
type office struct {
	*Office
	variant Variant
	seed    uint64
	settle  time.Duration // before the storm

	w      *world.World
	rec    *record
	access *netsim.Access
	http   *http.Client // from reader

	down    atomic.Bool    // nobody can connect
	running sync.WaitGroup // clients
	pub     *publisher
	line    []Moment
}

// play plays it in a bubble of its own.
func (o *office) play(ctx context.Context, t *testing.T) (out *Outcome, err error) {
	begin := time.Now()
	err = bubble.Play(ctx, t, func(ctx context.Context, dir string) (err error) {
		out, err = o.run(ctx, dir)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("office, %s: %w", o.variant.Name, err)
	}
	out.Wall = time.Since(begin)
	return out, nil
}

// run is what happens in the bubble.
func (o *office) run(ctx context.Context, dir string) (out *Outcome, err error) {
	mbits := cmp.Or(o.variant.Megabits, o.Access.Megabits)
	o.access = &netsim.Access{Up: mbits * 1e6 / 8, Down: mbits * 1e6 / 8, Queue: o.Access.QueueKiB << 10}
	cfg := world.Config{
		Seed: o.seed, Dir: dir, Home: o.Core, Path: o.path(), Access: o.behind,
		Edge: func(c *edge.Config) { c.AcceptRate, c.MaxSockets = o.AcceptRate, min(2*o.Clients, maxSockets) },
	}
	for range o.Edges {
		cfg.Regions = append(cfg.Regions, o.Region)
	}
	o.w, err = world.Start(ctx, cfg)
	defer func() { err = errors.Join(err, o.w.Close()) }()
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) { return o.w.Net.Dial(ctx, reader, addr) }}
	defer transport.CloseIdleConnections()
	o.http = &http.Client{Transport: transport}
	o.rec = newRecord(o.w.Net.Since)
	clients, leave := context.WithCancel(ctx)
	defer func() {
		leave()
		o.running.Wait()
	}()
	if err := o.come(ctx, clients); err != nil {
		return nil, err
	}
	o.pub = &publisher{
		book: o.rec.book, now: o.rec.now, rooms: o.Rooms, gap: time.Duration(float64(time.Second) / o.PublishesPerSecond),
		publish: func(ctx context.Context, m backend.Message) (backend.Placed, error) {
			return o.w.API.Publish(ctx, 0, m)
		},
	}
	o.pub.start(ctx)
	out, err = o.storm(ctx)
	if stopped := o.pub.stop(); !errors.Is(err, stopped) {
		err = errors.Join(err, stopped)
	}
	return out, err
}

// addresses are the office's.
func (o *office) addresses() (hosts []netsim.Host) {
	for i := range o.Addresses {
		hosts = append(hosts, firstAddress+netsim.Host(i))
	}
	return hosts
}

// behind is the office's access, for its addresses.
func (o *office) behind(h netsim.Host) *netsim.Access {
	if h < firstAddress {
		return nil
	}
	return o.access
}

// path is netsim.Config's: the core and who publishes and looks are in one region, the
// edges in another, and the office near these.
func (o *office) path() func(from, to netsim.Host) netsim.Path {
	home, _ := region.Lookup(o.Core)
	away, _ := region.Lookup(o.Region)
	rtt, _ := region.Between(home, away)
	const nearby = 250 * time.Microsecond
	at := func(h netsim.Host) (edges, office bool) {
		return h >= world.EdgeHost(0) && h < reader || h >= firstAddress, h >= firstAddress
	}
	return func(from, to netsim.Host) netsim.Path {
		var p netsim.Path
		a, officeA := at(from)
		b, officeB := at(to)
		if p.Delay = nearby; a != b {
			p.Delay, p.Jitter = rtt/2, rtt/100
		}
		if officeA != officeB {
			p.Delay += o.Access.Delay
			p.Jitter += o.Access.Jitter
			p.Loss = o.Access.Loss
		}
		return p
	}
}

// come makes the rooms, has all clients come, half as fast as edges let them, and
// returns when all were welcome and things have settled.
func (o *office) come(ctx, clients context.Context) error {
	crowd := Crowd{o.Rooms, o.Clients, o.RoomsEach}
	for i, users := range crowd.members() {
		if err := o.w.API.PutRoom(ctx, roomID(i)); err != nil {
			return err
		}
		if err := o.w.API.ChangeMembers(ctx, 0, roomID(i), users, nil); err != nil {
			return err
		}
	}
	var urls []string
	for _, e := range o.w.Edges {
		urls = append(urls, e.URL)
	}
	gap := time.Duration(float64(time.Second) / (o.AcceptRate * float64(o.Edges) / 2))
	hosts := o.addresses()
	for i := range o.Clients {
		expects(o.rec.book, crowd, i)
		host := hosts[i%len(hosts)]
		m, err := newMember(o.rec, i, turned(urls, i), func(ctx context.Context, _, addr string) (net.Conn, error) { return o.dial(ctx, host, addr) })
		if err != nil {
			return err
		}
		o.rec.members = append(o.rec.members, m)
		o.running.Go(func() { m.run(clients) })
		if err := wait(ctx, gap); err != nil {
			return err
		}
	}
	if err := o.until(ctx, "all clients are welcome", func() bool { welcomed, _, _ := o.rec.state(); return welcomed == o.Clients }); err != nil {
		return err
	}
	return wait(ctx, o.settle)
}

// errUnreachable is what the system says of a network that is down.
var errUnreachable = errors.New("network is unreachable")

// dial is the clients'.
func (o *office) dial(ctx context.Context, from netsim.Host, addr string) (net.Conn, error) {
	if o.down.Load() {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errUnreachable}
	}
	return o.w.Net.Dial(ctx, from, addr)
}

// until looks each second whether something is so.
func (o *office) until(ctx context.Context, what string, is func() bool) error {
	for end := o.w.Net.Since() + patience; !is(); {
		if o.w.Net.Since() > end {
			welcomed, away, _ := o.rec.state()
			return errors.Join(fmt.Errorf("not within %v: %s; %d of %d clients were welcome, %d are away", patience, what, welcomed, o.Clients, away), o.rec.sound())
		}
		if err := wait(ctx, time.Second); err != nil {
			return err
		}
	}
	return nil
}

// storm takes the network, and gives it back.
func (o *office) storm(ctx context.Context) (*Outcome, error) {
	if err := wait(ctx, calm); err != nil {
		return nil, err
	}
	o.rec.clear()
	before, err := o.look(ctx)
	if err != nil {
		return nil, err
	}
	begin := o.w.Net.Since()
	back := begin + o.Outage
	o.w.Net.Inject(o.faults(begin)...)
	looking, stop := context.WithCancel(ctx)
	var looks sync.WaitGroup
	defer looks.Wait()
	defer stop()
	looks.Go(func() { o.watch(looking, begin) })
	o.down.Store(o.variant.Unreachable)
	if err := wait(ctx, o.Outage); err != nil {
		return nil, err
	}
	o.down.Store(false)
	if o.variant.Told {
		for _, m := range o.rec.members {
			m.client.NetworkChanged()
		}
	}
	if err := wait(ctx, o.variant.CoreAway); err != nil {
		return nil, err
	}
	err = o.until(ctx, "all clients are back", func() bool { _, away, _ := o.rec.state(); return away == 0 })
	if err == nil {
		err = wait(ctx, calm)
	}
	if err == nil {
		err = o.pub.stop()
	}
	if err == nil {
		err = o.until(ctx, "all messages are delivered", func() bool { return o.rec.book.Missing() == 0 })
	}
	if ctx.Err() != nil || o.rec.book.Missing() == 0 && err != nil {
		return nil, err
	} // else the ledger tells what is missing
	after, err := o.look(ctx)
	if err != nil {
		return nil, err
	}
	stop()
	looks.Wait()
	return o.outcome(begin, back, before, after), o.rec.sound()
}

// faults are those of the variant, from begin on.
func (o *office) faults(begin time.Duration) []netsim.Fault {
	out := []netsim.Fault{{At: begin, For: o.Outage, Hosts: o.addresses(), Cut: true}}
	if o.variant.CoreAway > 0 {
		out = append(out, netsim.Fault{At: begin, For: o.Outage + o.variant.CoreAway, Hosts: []netsim.Host{world.CoreHost}, Others: o.edgeHosts(), Cut: true})
	}
	return out
}

func (o *office) edgeHosts() (hosts []netsim.Host) {
	for i := range o.Edges {
		hosts = append(hosts, world.EdgeHost(i))
	}
	return hosts
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
