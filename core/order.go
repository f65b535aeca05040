package core

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"selvedge/core/client"
	"selvedge/topology"
	"selvedge/wire"
	"selvedge/wire/link"
)

const (
	// tellTime bounds what another core may take to answer an order.
	tellTime = 3 * time.Second
	// obeyTime bounds the wait for a node to say that it drains: a ping, the way to the
	// node and back, and gossip.
	obeyTime = 5 * time.Second
)

// orderDrain is what the API does to have a node drain: whoever of the cores has a way to
// it tells it. It returns when gossip says that the node drains, or has gone.
func (n *coreNode) orderDrain(ctx context.Context, by, name string, force bool) (client.Draining, *wire.Error) {
	snap := n.gossip.Snapshot()
	node, ok := snap.Node(topology.NodeID(name))
	switch {
	case !ok:
		return client.Draining{}, &wire.Error{Code: wire.NotFound, Message: unknownNode(snap, name)}
	case node.State == topology.StateDraining:
		return draining(node), nil
	}
	if why := needed(snap, node, n.copies()); why != "" && !force {
		n.cfg.Logger.Info("drain refused", "peer", name, "by", by, "why", why)
		return client.Draining{}, &wire.Error{Code: wire.Conflict, Message: fmt.Sprintf("%s is needed: %s: force it if that is meant", name, why)}
	}
	n.cfg.Logger.Info("drain ordered", "peer", name, "by", by, "force", force)
	if err := n.pass(ctx, snap, node, link.Order{Do: link.Drain, Node: name, By: by, Via: n.cfg.Name}); err != nil {
		return client.Draining{}, err
	}
	if err := n.awaitDraining(ctx, node.ID); err != nil {
		return client.Draining{}, &wire.Error{
			Code: wire.Unavailable, Message: fmt.Sprintf("%s was told to drain, and has not said within %s that it does: look at its log, and at its version", name, obeyTime),
		}
	}
	return draining(node), nil
}

// copies is how many cores keep a copy of the logs each; an external log keeps its own.
func (n *coreNode) copies() int {
	if len(n.cfg.Log.Servers) > 0 {
		return 0
	}
	return n.cfg.Log.Replicas
}

func draining(node topology.Node) client.Draining {
	return client.Draining{Node: node.ID, Role: node.Role, State: topology.StateDraining}
}

// ordered takes an order that another core has passed on. It goes no further.
func (n *coreNode) ordered(from string, o link.Order) *wire.Error {
	if o.Do != link.Drain {
		return &wire.Error{Code: wire.BadRequest, Message: fmt.Sprintf("%s does not know the order %q: it is of another version", n.cfg.Name, o.Do)}
	}
	if !n.tell(o) {
		return &wire.Error{Code: wire.NotFound, Message: n.cfg.Name + " has no link to " + o.Node}
	}
	n.cfg.Logger.Info("drain passed on", "peer", o.Node, "by", o.By, "via", o.Via, "from", from)
	return nil
}

// tell gives an order to this core, or to an edge that is linked to it. It reports
// whether it could.
func (n *coreNode) tell(o link.Order) bool {
	if o.Node != n.cfg.Name {
		return n.links.Order(o)
	}
	n.cfg.Logger.Info("told to drain", "by", o.By, "via", o.Via)
	n.stop()
	return true
}

// pass gives an order to a node: from here, or else by another core, which is the
// node, or has a link to it.
func (n *coreNode) pass(ctx context.Context, snap topology.Snapshot, node topology.Node, o link.Order) *wire.Error {
	if n.tell(o) {
		return nil
	}
	var ways []topology.Node
	for _, c := range snap.Cores() {
		if string(c.ID) != n.cfg.Name && c.Link != "" && (node.Role == topology.RoleEdge || c.ID == node.ID) {
			ways = append(ways, c)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, tellTime)
	defer cancel()
	var asked sync.WaitGroup
	var passed atomic.Bool
	why := make([]string, len(ways))
	for i, c := range ways {
		asked.Go(func() {
			if why[i] = n.askCore(ctx, c, o); why[i] == "" {
				passed.Store(true)
				cancel() // one is enough
			}
		})
	}
	asked.Wait()
	if passed.Load() {
		return nil
	}
	if node.Role == topology.RoleEdge {
		why = append([]string{n.cfg.Name + " has no link to it"}, why...)
	}
	return &wire.Error{Code: wire.Unavailable, Message: fmt.Sprintf("no core can reach %s now: %s", o.Node, strings.Join(why, "; "))}
}

// askCore has another core take an order. It returns why it does not; "" = it does.
func (n *coreNode) askCore(ctx context.Context, c topology.Node, o link.Order) string {
	addr, err := net.ResolveUDPAddr("udp", c.Link)
	if err != nil {
		return err.Error()
	}
	refusal, err := n.links.Tell(ctx, addr, link.Teller{TLS: n.cfg.Keys.Identity.ClientTLS(), Node: n.cfg.Name, Peer: string(c.ID)}, o)
	switch {
	case err != nil:
		return err.Error()
	case refusal != nil:
		return refusal.Message
	}
	return ""
}

// awaitDraining waits until gossip says that a node drains, or has gone.
func (n *coreNode) awaitDraining(ctx context.Context, id topology.NodeID) error {
	ctx, cancel := context.WithTimeout(ctx, obeyTime)
	defer cancel()
	changed, unwatch := n.gossip.Watch()
	defer unwatch()
	for {
		if node, there := n.gossip.Snapshot().Node(id); !there || node.State == topology.StateDraining {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
