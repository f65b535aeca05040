package api

import (
	"context"
	"net/http"

	"selvedge/topology"
	"selvedge/wire"
)

// drain has a node of the cluster do what SIGTERM does.
func (a *api) drain(ctx context.Context, q *request) (answer, error) {
	name := q.PathValue("node")
	if err := topology.CheckNodeID(topology.NodeID(name)); err != nil {
		return answer{}, bad("node", "%v", err)
	}
	var body struct {
		Force bool `json:"force"`
	}
	if q.ContentLength != 0 { // nothing need be said
		if err := q.decode(&body); err != nil {
			return answer{}, err
		}
	}
	if a.Drain == nil {
		return answer{}, &problem{Code: wire.Unavailable, Message: "this core passes no orders on"}
	}
	done, e := a.Drain(ctx, q.publisher, name, body.Force)
	if e != nil {
		return answer{}, &problem{Code: e.Code, Message: e.Message}
	}
	return answer{http.StatusAccepted, done}, nil
}
