package console

import (
	"time"

	"selvedge/topology"
	"selvedge/topology/region"
	"selvedge/wire/link"
)

// State is what the page shows, and /varz.
type State struct {
	Now       int64   `json:"now"` // Unix ms
	Cluster   Cluster `json:"cluster"`
	Publishes float64 `json:"publishes_per_s"`
	Nodes     []Node  `json:"nodes"`
	Links     []Link  `json:"links"`
}

// Cluster is what all nodes share.
type Cluster struct {
	Epoch string `json:"epoch"`
	Logs  int    `json:"logs"`
}

// Node is one node as the page shows it. What only its link tells is absent
// for nodes that are linked to another core.
type Node struct {
	ID           string  `json:"id"`
	Role         string  `json:"role"`
	Region       string  `json:"region"`
	Title        string  `json:"title"`
	Lat          float64 `json:"lat"`
	Lon          float64 `json:"lon"`
	State        string  `json:"state"`
	URL          string  `json:"url,omitempty"`
	Sockets      int     `json:"sockets"`
	SocketsLimit int     `json:"sockets_limit"`
	Frames       float64 `json:"frames_per_s"`
	Delivered    float64 `json:"delivered_per_s"`
	LagMillis    float64 `json:"lag_ms"`
	Load         float64 `json:"load"`
	RelayLogs    int     `json:"relay_logs"` // logs that it takes from this core
	RTTMillis    float64 `json:"rtt_ms"`
	Version      string  `json:"version"`
	Uptime       float64 `json:"uptime_s"`
}

// Link is one link of this core.
type Link struct {
	From      string  `json:"from"`
	To        string  `json:"to"`
	Scope     string  `json:"scope"` // "region" or "ocean"
	RTTMillis float64 `json:"rtt_ms"`
	Logs      int     `json:"logs"`
	Frames    float64 `json:"frames_per_s"`
	Bytes     float64 `json:"bytes_per_s"`
	Up        bool    `json:"up"`
}

// State is the present state.
func (c *Console) State() any {
	snap, links := c.cfg.Nodes(), c.cfg.Links()
	rates := c.Rates()
	s := State{
		Now: time.Now().UnixMilli(), Cluster: Cluster{Epoch: c.cfg.Epoch(), Logs: c.cfg.Logs}, Publishes: rates.Published,
		Nodes: []Node{}, Links: []Link{},
	}
	self, _ := snap.Node(c.cfg.Self)
	byNode := map[string]link.PeerInfo{}
	for _, l := range links {
		byNode[l.Node] = l
		scope := "ocean"
		if l.Region == self.Region {
			scope = "region"
		}
		r := rates.Node(l.Node)
		s.Links = append(s.Links, Link{
			From: string(c.cfg.Self), To: l.Node, Scope: scope, RTTMillis: rtt(l), Logs: frameLogs(l),
			Frames: r.Frames, Bytes: r.Bytes, Up: true,
		})
	}
	for _, n := range snap.Nodes() {
		s.Nodes = append(s.Nodes, node(n, byNode[string(n.ID)], rates.Node(string(n.ID))))
	}
	return s
}

func node(n topology.Node, l link.PeerInfo, r NodeRates) Node {
	title := n.Region
	if place, ok := region.Lookup(n.Region); ok {
		title = place.Title
	}
	return Node{
		ID: string(n.ID), Role: string(n.Role), Region: n.Region, Title: title, Lat: n.Lat, Lon: n.Lon,
		State: string(n.State), URL: n.Public, Load: n.Load, Version: n.Version,
		Sockets: l.Status.Sockets, SocketsLimit: l.Status.SocketsLimit, LagMillis: l.Status.DelayMillis,
		Frames: r.Frames, Delivered: r.Delivered, RelayLogs: frameLogs(l), RTTMillis: rtt(l),
		Uptime: float64(l.Status.UptimeMillis) / 1000,
	}
}

// rtt is the downstream's own measurement, or ours until it has told.
func rtt(l link.PeerInfo) float64 {
	if l.Status.RTTMillis > 0 {
		return l.Status.RTTMillis
	}
	return float64(l.RTT) / 1e6
}

// frameLogs is how many frame logs a link carries. With several cores, one of
// them alone has the state log.
func frameLogs(l link.PeerInfo) int {
	if l.State {
		return l.Logs - 1
	}
	return l.Logs
}
