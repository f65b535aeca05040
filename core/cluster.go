package core

import (
	"time"

	"selvedge/core/client"
	"selvedge/topology"
	"selvedge/wire"
	"selvedge/wire/link"
)

// cluster is what GET /v1/cluster answers: the nodes that gossip knows, and what
// the links of this core tell.
func (n *coreNode) cluster() any {
	rates := n.board.Rates()
	c := client.Cluster{
		Core: topology.NodeID(n.cfg.Name), Uptime: time.Since(n.started).Seconds(),
		Epoch: n.log.Epoch(), Logs: n.log.Logs(), Nodes: n.gossip.Snapshot().Nodes(), Regions: map[string]client.Region{},
		Published: rates.Published, RegionBytes: rates.RegionBytes, OceanBytes: rates.OceanBytes, Links: []client.Link{},
	}
	for _, node := range c.Nodes {
		r := c.Regions[node.Region]
		if r.Relays == nil {
			r.Relays = map[topology.NodeID]int{}
		}
		r.Nodes = append(r.Nodes, node.ID)
		c.Regions[node.Region] = r
	}
	for _, p := range n.links.Peers() {
		l := linkOf(p, n.cfg.Region.Name)
		at := rates.Node(p.Node)
		l.Frames, l.Delivered, l.Bytes, l.Fed = at.Frames, at.Delivered, at.Bytes, at.Fed
		c.Links = append(c.Links, l)
		if r, ok := c.Regions[p.Region]; ok {
			r.Relays[l.Node] = len(l.Logs)
		}
	}
	return c
}

// linkOf is a link of a core of region home, but for its rates.
func linkOf(p link.PeerInfo, home string) client.Link {
	l := client.Link{
		Node: topology.NodeID(p.Node), Region: p.Region, Scope: "ocean", RTT: p.Status.RTTMillis, Logs: []wire.LogID{}, State: p.State,
		Uptime: float64(p.Status.UptimeMillis) / 1000, Sockets: p.Status.Sockets, SocketsLimit: p.Status.SocketsLimit,
		Users: p.Status.Users, Delay: p.Status.DelayMillis,
	}
	if p.Region == home {
		l.Scope = "region"
	}
	if l.RTT <= 0 { // until the edge has told what it measures
		l.RTT = float64(p.RTT) / 1e6
	}
	for _, id := range p.Open {
		if id != wire.StateLog {
			l.Logs = append(l.Logs, id)
		}
	}
	return l
}
