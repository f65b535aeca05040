package client

import (
	"context"
	"net/http"

	"selvedge/topology"
	"selvedge/wire"
)

// Cluster is a cluster as one core knows it: the nodes by gossip, the links as
// they are here.
type Cluster struct {
	Core    topology.NodeID   `json:"core"`     // who answers
	Uptime  float64           `json:"uptime_s"` // its
	Epoch   string            `json:"epoch"`
	Logs    int               `json:"logs"`
	Nodes   []topology.Node   `json:"nodes"`
	Regions map[string]Region `json:"regions"`

	Published   float64 `json:"publishes_per_s"`    // frames that the logs took
	RegionBytes float64 `json:"region_bytes_per_s"` // from this core to edges of its region
	OceanBytes  float64 `json:"ocean_bytes_per_s"`  // and to those of others
	Links       []Link  `json:"links"`              // of this core
}

// Region is one region of a cluster. Relays says of each edge how many frame logs
// it takes from the core that answers.
type Region struct {
	Nodes  []topology.NodeID       `json:"nodes"`
	Relays map[topology.NodeID]int `json:"relays"`
}

// Link is one link of a core: what the edge at its other end takes from it, and
// what that edge tells of itself. Uptime is 0 until it has told.
type Link struct {
	Node   topology.NodeID `json:"node"`
	Region string          `json:"region"`
	Scope  string          `json:"scope"` // "region" or "ocean"
	RTT    float64         `json:"rtt_ms"`
	Logs   []wire.LogID    `json:"logs"`  // frame logs, ascending
	State  bool            `json:"state"` // the state log, too

	Uptime       float64 `json:"uptime_s"`
	Sockets      int     `json:"sockets"`
	SocketsLimit int     `json:"sockets_limit"`
	Users        int     `json:"users"`
	Delay        float64 `json:"delay_ms"` // core to socket, of its newest frame
	Frames       float64 `json:"frames_per_s"`
	Delivered    float64 `json:"delivered_per_s"`
	Bytes        float64 `json:"bytes_per_s"`     // received
	Fed          float64 `json:"fed_bytes_per_s"` // sent to edges of its region
}

// Cluster asks for the cluster as the core knows it now.
func (c *Client) Cluster(ctx context.Context) (cluster Cluster, err error) {
	err = c.do(ctx, call{method: http.MethodGet, path: "/v1/cluster", harmless: true}, &cluster)
	return cluster, err
}
