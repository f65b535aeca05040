package core

import (
	"time"

	"selvedge/topology"
	"selvedge/wire"
	"selvedge/wire/link"
)

// Cluster is what GET /v1/cluster answers: the nodes that gossip knows, and what
// the links of this core tell.
type Cluster struct {
	Core    topology.NodeID       `json:"core"`     // who answers
	Uptime  float64               `json:"uptime_s"` // its
	Epoch   string                `json:"epoch"`
	Logs    int                   `json:"logs"`
	Nodes   []topology.Node       `json:"nodes"`
	Regions map[string]RegionInfo `json:"regions"`

	Published   float64 `json:"publishes_per_s"`    // frames that the logs took
	RegionBytes float64 `json:"region_bytes_per_s"` // from this core to edges of its region
	OceanBytes  float64 `json:"ocean_bytes_per_s"`  // and to those of others
	Links       []Link  `json:"links"`
}

// RegionInfo is one region of a cluster. Relays says of each edge how many
// frame logs it takes from this core.
type RegionInfo struct {
	Nodes  []topology.NodeID       `json:"nodes"`
	Relays map[topology.NodeID]int `json:"relays"`
}

// Link is one link of this core: what the edge at its other end takes from here,
// and what it tells of itself. Uptime is 0 until it has told.
type Link struct {
	Node   string       `json:"node"`
	Region string       `json:"region"`
	Scope  string       `json:"scope"` // "region" or "ocean"
	RTT    float64      `json:"rtt_ms"`
	Logs   []wire.LogID `json:"logs"`  // frame logs, ascending
	State  bool         `json:"state"` // the state log, too

	Uptime       float64 `json:"uptime_s"`
	Sockets      int     `json:"sockets"`
	SocketsLimit int     `json:"sockets_limit"`
	Users        int     `json:"users"`
	Delay        float64 `json:"delay_ms"` // core to socket, of its newest frame
	Frames       float64 `json:"frames_per_s"`
	Delivered    float64 `json:"delivered_per_s"`
	Bytes        float64 `json:"bytes_per_s"` // received
}

func (n *coreNode) cluster() any {
	rates := n.board.Rates()
	c := Cluster{
		Core: topology.NodeID(n.cfg.Name), Uptime: time.Since(n.started).Seconds(),
		Epoch: n.log.Epoch(), Logs: n.log.Logs(), Nodes: n.gossip.Snapshot().Nodes(), Regions: map[string]RegionInfo{},
		Published: rates.Published, RegionBytes: rates.RegionBytes, OceanBytes: rates.OceanBytes, Links: []Link{},
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
		l.Frames, l.Delivered, l.Bytes = at.Frames, at.Delivered, at.Bytes
		c.Links = append(c.Links, l)
		if r, ok := c.Regions[p.Region]; ok {
			r.Relays[topology.NodeID(p.Node)] = len(l.Logs)
		}
	}
	return c
}

// linkOf is a link of a core of region home, but for its rates.
func linkOf(p link.PeerInfo, home string) Link {
	l := Link{
		Node: p.Node, Region: p.Region, Scope: "ocean", RTT: p.Status.RTTMillis, Logs: []wire.LogID{}, State: p.State,
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
