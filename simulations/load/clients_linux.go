package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"time"

	"golang.org/x/sync/errgroup"

	"selvedge/simulations/orders"
)

// host is a process of clients.
type host struct {
	book   *book
	loops  []*loop
	groups map[string]*group
	secure map[*group]*secure // those that speak TLS
}

// ServeClients holds sockets as the orders on in say, in loops threads, and
// answers on out. It ends with in.
func ServeClients(ctx context.Context, in io.Reader, out io.Writer, loops int) error {
	h := &host{book: newBook(), groups: map[string]*group{}, secure: map[*group]*secure{}}
	var g errgroup.Group
	defer func() {
		for _, s := range h.secure {
			s.drop()
		}
		for _, l := range h.loops {
			l.stop()
		}
		_ = g.Wait() // what a loop says is said by then
	}()
	for range max(loops, 1) {
		l, err := newLoop(h.book)
		if err != nil {
			return err
		}
		h.loops = append(h.loops, l)
		g.Go(l.run)
	}
	return orders.Obey(ctx, in, out, h.handle)
}

func (h *host) handle(ctx context.Context, o order) (word, error) {
	g := h.groups[o.Group]
	if g == nil {
		g = &group{name: o.Group}
		h.groups[o.Group] = g
	}
	switch o.Do {
	case "sign":
		return word{}, g.sign(o.User, o.First, o.Count)
	case "connect":
		return h.connect(ctx, g, o)
	case "expect":
		g.expect(o.Frames, o.Timed)
		return word{}, nil
	case "await":
		return g.await(ctx, time.Duration(o.Millis)*time.Millisecond)
	case "stats":
		return word{Stats: g.stats()}, nil
	case "drop":
		return word{}, h.drop(ctx, g)
	}
	return word{}, fmt.Errorf("no such order")
}

// connect makes the sockets of the tokens that were signed.
func (h *host) connect(ctx context.Context, g *group, o order) (word, error) {
	to, err := parseTargets(o.URLs)
	if err != nil {
		return word{}, err
	}
	g.begin(len(g.tokens))
	start := Now()
	if to.secure {
		s, err := newSecure(h.book, g, to, o.CA)
		if err != nil {
			return word{}, err
		}
		h.secure[g] = s
		s.connect(o.InFlight)
	} else {
		h.spread(g, to, o.InFlight, o.Retries)
	}
	select {
	case <-g.all:
	case <-ctx.Done():
		return word{}, ctx.Err()
	}
	return g.arrived(start)
}

// spread gives each loop its share of a group.
func (h *host) spread(g *group, to targets, inFlight, retries int) {
	n := len(g.tokens)
	for i, l := range h.loops {
		first := n * i / len(h.loops)
		d := &dial{group: g, to: to, turn: first, retries: retries, tokens: g.tokens[first : n*(i+1)/len(h.loops)]}
		l.post(func() {
			for range max(inFlight/len(h.loops), 1) {
				d.next(l)
			}
		})
	}
}

// targets are where a group's sockets connect to, by turns.
type targets struct {
	addrs   []netip.AddrPort
	request []byte
	secure  bool
}

func (t targets) of(turn int) netip.AddrPort { return t.addrs[turn%len(t.addrs)] }

func parseTargets(urls []string) (t targets, err error) {
	for _, s := range urls {
		u, err := url.Parse(s)
		if err != nil {
			return t, err
		}
		addr, err := netip.ParseAddrPort(u.Host)
		if err != nil {
			return t, fmt.Errorf("%s: %w", s, err)
		}
		t.addrs = append(t.addrs, addr)
		t.request = request(u.Host)
		t.secure = u.Scheme == "wss"
	}
	if len(t.addrs) == 0 {
		return t, errors.New("no URL to connect to")
	}
	return t, nil
}

// drop closes a group's sockets.
func (h *host) drop(ctx context.Context, g *group) error {
	if s := h.secure[g]; s != nil {
		s.drop()
		delete(h.secure, g)
	}
	for _, l := range h.loops {
		done := make(chan struct{})
		l.post(func() {
			l.drop(g)
			close(done)
		})
		select {
		case <-done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
