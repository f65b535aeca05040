package core

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"selvedge/core/client"
	"selvedge/internal/identity"
	"selvedge/internal/node"
	"selvedge/topology"
	"selvedge/topology/gossip"
	"selvedge/wire"
	"selvedge/wire/link"
	"selvedge/wire/link/linktest"
	"selvedge/wire/tail"
)

func devNode(t *testing.T, role, name string) *identity.NodeIdentity {
	t.Helper()
	id, err := identity.DevNode(role, name)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// gossips is a node's gossip on loopback, until the test ends.
func gossips(t *testing.T, self topology.Node, seeds ...string) *gossip.Gossip {
	t.Helper()
	g, err := gossip.Start(t.Context(), gossip.Config{Self: self, Bind: "127.0.0.1:0", Seeds: seeds, Keys: identity.DevGossipKey(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// orderRig is a core that has gossip and links, and no logs.
type orderRig struct {
	*coreNode
	addr    net.Addr      // of its links
	stopped chan struct{} // receives when it is told to stop
}

func newOrderRig(t *testing.T, name string, seeds ...string) *orderRig {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &orderRig{addr: pc.LocalAddr(), stopped: make(chan struct{}, 1)}
	r.coreNode = &coreNode{
		cfg: Config{
			Name: name, Logger: slog.New(slog.DiscardHandler),
			Keys: node.Keys{Identity: devNode(t, identity.RoleCore, name), Gossip: identity.DevGossipKey()},
		},
		gossip: gossips(t, topology.Node{ID: topology.NodeID(name), Role: topology.RoleCore, Region: "us-east", State: topology.StateReady, Link: r.addr.String()}, seeds...),
	}
	r.stop = func() {
		r.stopped <- struct{}{}
		if err := r.gossip.Update(func(n *topology.Node) { n.State = topology.StateDraining }); err != nil {
			t.Error(err)
		}
	}
	if r.links, err = link.Listen(pc, link.ServerConfig{
		TLS: r.cfg.Keys.Identity.ServerTLS(), Source: linktest.NewMemory(1, 1<<20), Ordered: r.ordered,
	}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.links.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-done, pc.Close()); err != nil {
			t.Error(err)
		}
	})
	return r
}

// receiver takes what a link without logs brings: nothing.
type receiver struct{}

func (receiver) Records(wire.LogID, []tail.Record)    {}
func (receiver) Marker(wire.LogID, link.Marker)       {}
func (receiver) Gap(wire.LogID, wire.Seq, []wire.Key) {}
func (receiver) Behind(wire.LogID, wire.Seq)          {}
func (receiver) Elsewhere(wire.LogID)                 {}
func (receiver) Signal(*wire.Signal)                  {}

// edge adds an edge, in a region of its own, with a link to r. It does what it is told, if
// it obeys, and tells what that is.
func (r *orderRig) edge(t *testing.T, name string, obeys bool) <-chan link.Order {
	t.Helper()
	g := gossips(t, topology.Node{ID: topology.NodeID(name), Role: topology.RoleEdge, Region: "of " + name, State: topology.StateReady}, r.gossip.Addr())
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	told, up := make(chan link.Order, 9), make(chan struct{}, 1)
	tr := link.NewTransport(pc)
	l, err := link.Dial(t.Context(), tr, r.addr, link.DialConfig{
		TLS: devNode(t, identity.RoleEdge, name).ClientTLS(), Node: name, Region: "of " + name, Receiver: receiver{},
		Ends: func([]wire.Seq) {
			select {
			case up <- struct{}{}:
			default:
			}
		},
		Ordered: func(o link.Order) {
			told <- o
			if obeys {
				if err := g.Update(func(n *topology.Node) { n.State = topology.StateDraining }); err != nil {
					t.Error(err)
				}
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-done, tr.Close(), pc.Close()); err != nil {
			t.Error(err)
		}
	})
	<-up // at the other end, too
	return told
}

// knows waits until r knows nodes.
func (r *orderRig) knows(t *testing.T, names ...string) {
	t.Helper()
	for start := time.Now(); ; <-time.After(10 * time.Millisecond) {
		missing := 0
		for _, name := range names {
			if _, ok := r.gossip.Snapshot().Node(topology.NodeID(name)); !ok {
				missing++
			}
		}
		if missing == 0 {
			return
		}
		if time.Since(start) > 20*time.Second {
			t.Fatalf("%s does not know all of %v", r.cfg.Name, names)
		}
	}
}

// An order goes to an edge by the core that it is linked to, to another core, and to
// whoever is asked. Who has no way to a node, or is not obeyed, says so.
func TestOrderDrain(t *testing.T) {
	one := newOrderRig(t, "core-1")
	two := newOrderRig(t, "core-2", one.gossip.Addr())
	near, far, deaf := one.edge(t, "near", true), two.edge(t, "far", true), one.edge(t, "deaf", false)
	gossips(t, topology.Node{ID: "apart", Role: topology.RoleEdge, Region: "moon", State: topology.StateReady}, one.gossip.Addr())
	one.knows(t, "core-2", "near", "far", "deaf", "apart")
	two.knows(t, "core-1", "far")
	refused := func(name string, force bool, code wire.Code, says string) {
		t.Helper()
		if d, err := one.orderDrain(t.Context(), "key", name, force); err == nil || err.Code != code || !strings.Contains(err.Message, says) {
			t.Errorf("%s: %+v, %+v; want %s, %s", name, d, err, code, says)
		}
	}
	refused("nearr", true, wire.NotFound, "did you mean near?")
	refused("near", false, wire.Conflict, "near is needed: no other edge of of near is ready")
	refused("apart", true, wire.Unavailable, "no core can reach apart now: core-1 has no link to it; core-2 has no link to apart")
	if len(near)+len(far)+len(deaf) > 0 {
		t.Fatal("somebody was told")
	}
	drains := func(name string, role topology.Role) {
		t.Helper()
		d, err := one.orderDrain(t.Context(), "key", name, true)
		if diff := cmp.Diff(client.Draining{Node: topology.NodeID(name), Role: role, State: topology.StateDraining}, d); err != nil || diff != "" {
			t.Errorf("%s: %+v (-want +got):\n%s", name, err, diff)
		}
	}
	drains("near", topology.RoleEdge)
	drains("near", topology.RoleEdge) // it does already
	drains("far", topology.RoleEdge)
	for name, told := range map[string]<-chan link.Order{"near": near, "far": far} {
		want := link.Order{Do: link.Drain, Node: name, By: "key", Via: "core-1"}
		if diff := cmp.Diff(want, <-told); diff != "" || len(told) > 0 {
			t.Errorf("%s was told, and %d times more (-want +got):\n%s", name, len(told), diff)
		}
	}
	refused("deaf", true, wire.Unavailable, "deaf was told to drain, and has not said within 5s")
	drains("core-2", topology.RoleCore)
	<-two.stopped
	drains("core-1", topology.RoleCore)
	<-one.stopped
}

// What another version may want is not done.
func TestUnknownOrder(t *testing.T) {
	r := newOrderRig(t, "core-1")
	if err := r.ordered("core-2", link.Order{Do: "dance", Node: "core-1"}); err == nil || err.Code != wire.BadRequest {
		t.Errorf("%+v", err)
	}
	if len(r.stopped) > 0 {
		t.Error("it stops")
	}
}
