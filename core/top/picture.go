package top

import (
	"cmp"
	"math"
	"slices"
	"time"

	"selvedge/core/client"
	"selvedge/topology"
)

// answer is what one core said, or why it did not.
type answer struct {
	url     string
	cluster client.Cluster
	err     error
}

// picture is a cluster as the answers of one look show it. It is not changed.
type picture struct {
	at     time.Time
	cores  []topology.NodeID // that answered
	epochs []string          // one, if they are of one cluster
	logs   int
	nodes  []node // by name
	feeds  []feed // by region, edge and core

	published           float64
	regionBytes, oceans float64 // of the cores that answered, without what relays send
}

// node is a node, and what is told of it. What nobody has told is NaN.
type node struct {
	topology.Node
	figures

	gone time.Time // when it was not there any more; zero = it is
}

// figures are numbers of a node, or of a region's edges together.
type figures struct {
	load                  float64
	sockets, limit, users float64
	frames, delivered     float64 // per second
	bytes, fed            float64 // received, and sent to siblings, per second
	rtt, delay            float64 // milliseconds
	logs                  float64 // frame logs that it takes from the cores that answered
	uptime                float64 // seconds
}

// feed is what an edge takes from a core.
type feed struct {
	client.Link

	core topology.NodeID
}

var unknown = math.NaN()

// nothing is what is known of a node that nobody tells of.
func nothing() figures {
	return figures{unknown, unknown, unknown, unknown, unknown, unknown, unknown, unknown, unknown, unknown, unknown, unknown}
}

// draw makes a picture of those answers that are any. ok = there is one.
func draw(at time.Time, answers []answer) (p picture, ok bool) {
	p.at = at
	nodes := map[topology.NodeID]*node{}
	for _, a := range answers {
		if a.err != nil {
			continue
		}
		c := &a.cluster
		p.cores, p.logs = append(p.cores, c.Core), max(p.logs, c.Logs)
		if epoch := clean(c.Epoch); !slices.Contains(p.epochs, epoch) {
			p.epochs = append(p.epochs, epoch)
		}
		// Each core sees what all logs take, but only its own links.
		p.published = max(p.published, c.Published)
		p.regionBytes, p.oceans = p.regionBytes+c.RegionBytes, p.oceans+c.OceanBytes
		for _, n := range c.Nodes {
			n.Region, n.Version = clean(n.Region), clean(n.Version) // an id is clean by itself
			if nodes[n.ID] == nil {
				nodes[n.ID] = &node{Node: n, figures: nothing()}
				if n.Role == topology.RoleEdge {
					nodes[n.ID].load = n.Load
				}
			}
		}
		if n := nodes[c.Core]; n != nil {
			n.uptime = c.Uptime
		}
		for _, l := range c.Links {
			l.Node, l.Region = topology.NodeID(clean(string(l.Node))), clean(l.Region)
			p.feeds = append(p.feeds, feed{core: c.Core, Link: l})
			if n := nodes[l.Node]; n != nil {
				n.tell(l)
			}
		}
	}
	for _, n := range nodes {
		p.nodes = append(p.nodes, *n)
	}
	slices.SortFunc(p.nodes, func(a, b node) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(p.feeds, func(a, b feed) int {
		return cmp.Or(cmp.Compare(a.Region, b.Region), cmp.Compare(a.Node, b.Node), cmp.Compare(a.core, b.core))
	})
	return p, len(p.cores) > 0
}

// tell adds what a link tells. An edge tells all its links the same, one after
// the other: the latest counts.
func (n *node) tell(l client.Link) {
	logs := float64(len(l.Logs))
	if !math.IsNaN(n.logs) {
		logs += n.logs
	}
	n.logs = logs
	if math.IsNaN(n.rtt) {
		n.rtt = l.RTT
	}
	if l.Uptime <= 0 || l.Uptime < n.uptime {
		return
	}
	n.uptime, n.rtt, n.delay = l.Uptime, l.RTT, l.Delay
	n.sockets, n.limit, n.users = float64(l.Sockets), float64(l.SocketsLimit), float64(l.Users)
	n.frames, n.delivered, n.bytes, n.fed = l.Frames, l.Delivered, l.Bytes, l.Fed
	if l.Delay == 0 {
		n.delay = unknown // there was no frame yet
	}
}

// region is the nodes of one region.
type region struct {
	name  string
	nodes []node
	figures
}

// regions are a picture's nodes by region, in the order of their names.
func (p *picture) regions() []region {
	byName := map[string][]node{}
	for _, n := range p.nodes {
		byName[n.Region] = append(byName[n.Region], n)
	}
	var out []region
	for name, nodes := range byName {
		out = append(out, region{name: name, nodes: nodes, figures: together(nodes)})
	}
	slices.SortFunc(out, func(a, b region) int { return cmp.Compare(a.name, b.name) })
	return out
}

// together adds up what is known of the edges among nodes. Of load, round trips and delays it takes the worst.
func together(nodes []node) figures {
	t := nothing()
	for _, n := range nodes {
		if n.Role != topology.RoleEdge {
			continue
		}
		for _, sum := range []struct {
			of  *float64
			add float64
		}{
			{&t.sockets, n.sockets},
			{&t.limit, n.limit},
			{&t.users, n.users},
			{&t.frames, n.frames},
			{&t.delivered, n.delivered},
			{&t.bytes, n.bytes},
			{&t.fed, n.fed},
			{&t.logs, n.logs},
		} {
			if math.IsNaN(*sum.of) {
				*sum.of = sum.add
			} else if !math.IsNaN(sum.add) {
				*sum.of += sum.add
			}
		}
		t.load, t.rtt, t.delay = worst(t.load, n.load), worst(t.rtt, n.rtt), worst(t.delay, n.delay)
	}
	return t
}

// worst is the greater of two figures, of which either may be unknown.
func worst(a, b float64) float64 {
	if math.IsNaN(a) || b > a {
		return b
	}
	return a
}
