package client

import (
	"context"
	"net/http"
	"net/url"

	"selvedge/topology"
)

// Draining is a node that drains.
type Draining struct {
	Node  topology.NodeID `json:"node"`
	Role  topology.Role   `json:"role"`
	State topology.State  `json:"state"`
}

// Drain has a node of the cluster drain, as SIGTERM does, and returns when it has begun.
// One that is needed is drained only by force: else the error's code is Conflict. It is
// NotFound for a node that the core does not know.
func (c *Client) Drain(ctx context.Context, node topology.NodeID, force bool) (d Draining, err error) {
	body := struct {
		Force bool `json:"force,omitempty"`
	}{force}
	err = c.do(ctx, call{method: http.MethodPost, path: "/v1/cluster/nodes/" + url.PathEscape(string(node)) + "/drain", body: body}, &d)
	return d, err
}
