package fanout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"selvedge/core/client"
	"selvedge/simulations/fleet"
	"selvedge/wire"
)

// tier is one way from one publisher to N gateways.
type tier struct {
	name, label string
	connect     order // what gateways connect to; Count, First and the like are left out
	// look looks again what they connect to, before they do; nil = it does not change.
	look func(ctx context.Context) error
	// publish returns when the centre has taken it.
	publish func(ctx context.Context, payload []byte) error
	centre  []int // processes
	relays  []int // processes between the centre and the gateways
	// sent is what the centre, and the relays, have sent so far, in bytes.
	sent func(ctx context.Context) (centre, relays float64, err error)
}

// label is what people call a tier.
func label(name string) string {
	switch name {
	case tierRedis:
		return "Redis pub/sub"
	case tierCluster:
		return "Redis Cluster, PUBLISH"
	case tierSharded:
		return "Redis Cluster, SPUBLISH"
	case tierDirect:
		return "Core, direct links"
	case tierRelays:
		return "Selvedge, links to relays"
	}
	return "Selvedge, sockets at edges"
}

// makeTiers makes those that the scenario has, and can be had.
func (r *rig) makeTiers(ctx context.Context) error {
	for _, name := range r.scenario.Tiers {
		var t *tier
		var err error
		switch {
		case name == tierRedis && r.redis != nil:
			t, err = redisTier(ctx, name, []*redisServer{r.redis}, 0)
		case (name == tierCluster || name == tierSharded) && r.cluster != nil:
			owner := 0
			if owner, err = slotOwner(r.cluster[0], string(channel), len(r.cluster)); err == nil {
				t, err = redisTier(ctx, name, r.cluster, owner)
			}
		case name == tierDirect:
			t, err = r.directTier(ctx)
		case name == tierRelays, name == tierSockets:
			t, err = r.regionalTier(ctx, name)
		default:
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		t.name, t.label = name, label(name)
		t.connect.Channel, t.connect.Bytes = string(channel), r.scenario.PayloadBytes
		r.tiers = append(r.tiers, t)
	}
	return nil
}

// redisTier has gateways at all nodes, but those of a sharded channel at its owner.
func redisTier(ctx context.Context, name string, nodes []*redisServer, owner int) (*tier, error) {
	t := &tier{connect: order{Kind: kindRedis}}
	command := "PUBLISH"
	at := nodes
	if name == tierSharded {
		command, t.connect.Kind, at = "SPUBLISH", kindSharded, nodes[owner:owner+1]
	}
	for _, s := range at {
		t.connect.Targets = append(t.connect.Targets, target{Addr: s.addr})
	}
	for _, s := range nodes {
		t.centre = append(t.centre, s.pid())
	}
	conn, err := dialRedis(ctx, nodes[owner].addr)
	if err != nil {
		return nil, err
	}
	nodes[owner].more = append(nodes[owner].more, conn)
	t.publish = func(_ context.Context, payload []byte) error {
		_, err := conn.do(command, string(channel), string(payload))
		return err
	}
	t.sent = func(context.Context) (centre, relays float64, err error) {
		for _, s := range nodes {
			n, ioErr := written(s.pid())
			centre, err = centre+float64(n), errors.Join(err, ioErr)
		}
		return centre, 0, err
	}
	return t, nil
}

// place is a cluster as a client of its core sees it.
type place struct {
	api   *client.Client
	log   wire.LogID
	nodes client.Cluster
}

// find waits until a core feeds the channel's log to so many of its edges, one in
// each region.
func find(ctx context.Context, f *fleet.Fleet, regions int) (p place, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	p.api = api(f)
	for {
		if p.nodes, err = p.api.Cluster(ctx); err != nil {
			return p, err
		}
		p.log = wire.LogOf(channel, p.nodes.Logs)
		if len(p.relays()) == regions {
			return p, nil
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return p, fmt.Errorf("the core feeds the log to %d edges, to one in each of %d regions it should: %w", len(p.relays()), regions, err)
		}
	}
}

// relays are the edges that the core feeds the channel's log to.
func (p *place) relays() (out []target) {
	for _, l := range p.nodes.Links {
		if !slices.Contains(l.Logs, p.log) {
			continue
		}
		for _, n := range p.nodes.Nodes {
			if n.ID == l.Node {
				out = append(out, target{Addr: n.Link, Node: string(n.ID), Region: l.Region, Relay: true})
			}
		}
	}
	return out
}

// core is the one that was asked.
func (p *place) core() target {
	for _, n := range p.nodes.Nodes {
		if n.ID == p.nodes.Core {
			return target{Addr: n.Link, Node: string(n.ID), Region: n.Region}
		}
	}
	return target{} // it knows itself
}

func (p *place) publish(ctx context.Context, payload []byte) error {
	data, err := wire.ParseJSON(append(append([]byte{'"'}, payload...), '"'))
	if err != nil {
		return err
	}
	_, err = p.api.Publish(ctx, client.Message{Channel: channel, Data: data})
	return err
}

// sentBy is what nodes have sent over links, in bytes of records.
func sentBy(ctx context.Context, nodes ...*fleet.Node) (sum float64, err error) {
	for _, n := range nodes {
		m, err := fleet.ReadMetrics(ctx, n.Admin)
		if err != nil {
			return 0, err
		}
		for labels, v := range m.Labelled("selvedge_link_bytes_total") {
			if strings.Contains(labels, `direction="out"`) {
				sum += v
			}
		}
	}
	return sum, nil
}

func (r *rig) directTier(ctx context.Context) (*tier, error) {
	f := r.direct
	p, err := find(ctx, f, 0)
	if err != nil {
		return nil, err
	}
	t := &tier{connect: order{Kind: kindLink, Log: int(p.log), Targets: []target{p.core()}}, publish: p.publish, centre: []int{f.Core.PID()}}
	t.sent = func(ctx context.Context) (float64, float64, error) {
		sum, err := sentBy(ctx, f.Core)
		return sum, 0, err
	}
	return t, nil
}

// regionalTier has gateways at the relay of each region, as sibling edges are, or
// as sockets of all edges.
func (r *rig) regionalTier(ctx context.Context, name string) (*tier, error) {
	f := r.regional
	p, err := find(ctx, f, len(r.scenario.Regions))
	if err != nil {
		return nil, err
	}
	core := p.core()
	t := &tier{connect: order{Kind: kindLink, Log: int(p.log), Targets: p.relays(), Back: &core}, publish: p.publish, centre: []int{f.Core.PID()}}
	t.look = func(ctx context.Context) error {
		now, err := find(ctx, f, len(r.scenario.Regions))
		t.connect.Targets = now.relays()
		return err
	}
	if name == tierSockets {
		t.look = nil
		t.connect = order{Kind: kindSocket}
		for _, u := range f.EdgeURLs() {
			t.connect.Targets = append(t.connect.Targets, target{Addr: strings.TrimPrefix(u, "http://")})
		}
	}
	for _, e := range f.Edges {
		t.relays = append(t.relays, e.PID())
	}
	t.sent = func(ctx context.Context) (float64, float64, error) {
		centre, err := sentBy(ctx, f.Core)
		if err != nil {
			return 0, 0, err
		}
		relays, err := sentBy(ctx, f.Edges...)
		return centre, relays, err
	}
	return t, nil
}
