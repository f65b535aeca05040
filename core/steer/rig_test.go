package steer

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"selvedge/core/client"
	"selvedge/internal/identity"
	"selvedge/topology"
	"selvedge/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// core is a core that plays a script: each question for the cluster is answered by the
// next of it, and at last by the last.
type core struct {
	url string

	mu     sync.Mutex
	script []client.Cluster // guarded by mu
	asked  int              // guarded by mu
	orders []string         // guarded by mu: paths, with " force" if so
	drain  wire.Error       // what the order is answered by; no code = it is taken
}

func newCore(t *testing.T, script ...client.Cluster) *core {
	t.Helper()
	c := &core{script: script}
	s := httptest.NewServer(c)
	t.Cleanup(s.Close)
	c.url = s.URL
	return c
}

// ServeHTTP answers as the API does.
func (c *core) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	status, body := http.StatusOK, any(nil)
	fail := func(code int, e wire.Error) {
		status, body = code, map[string]any{"error": map[string]any{"code": e.Code, "message": e.Message}}
	}
	switch {
	case r.Header.Get("Authorization") != "Bearer "+identity.DevAPIKey:
		fail(http.StatusUnauthorized, wire.Error{Code: wire.Unauthorized, Message: "no such key"})
	case r.Method == http.MethodPost:
		var order struct {
			Force bool `json:"force"`
		}
		b, err := io.ReadAll(r.Body)
		if err = errors.Join(err, wire.Msgpack.DecodeStrict(b, &order)); err != nil {
			panic(err)
		}
		path := r.URL.EscapedPath()
		if order.Force {
			path += " force"
		}
		c.orders = append(c.orders, path)
		switch c.drain.Code {
		case "":
			status, body = http.StatusAccepted, client.Draining{Node: "edge-1", Role: topology.RoleEdge, State: topology.StateDraining}
		case wire.NotFound:
			fail(http.StatusNotFound, c.drain)
		case wire.Conflict:
			fail(http.StatusConflict, c.drain)
		default:
			fail(http.StatusServiceUnavailable, c.drain)
		}
	case len(c.script) == 0:
		fail(http.StatusServiceUnavailable, wire.Error{Code: wire.Unavailable, Message: "this core is stopping"})
	default:
		body = c.script[min(c.asked, len(c.script)-1)]
		c.asked++
	}
	b, err := wire.Msgpack.Append(nil, body)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", wire.Msgpack.ContentType())
	w.WriteHeader(status)
	_, _ = w.Write(b)
}

// told are the orders so far.
func (c *core) told() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.orders
}

// with is a cluster of a core and these nodes.
func with(nodes ...topology.Node) client.Cluster {
	return client.Cluster{
		Core: "core-1", Logs: 16, Nodes: append(nodes, topology.Node{ID: "core-1", Role: topology.RoleCore, State: topology.StateReady}),
	}
}

// edge is edge-1.
func edge(s topology.State) topology.Node {
	return topology.Node{ID: "edge-1", Role: topology.RoleEdge, Region: "eu", State: s}
}

// linked is a cluster with a link to edge-1 that tells of so many sockets.
func linked(s topology.State, sockets int) client.Cluster {
	c := with(edge(s))
	c.Links = []client.Link{{Node: "edge-1", Uptime: 9, Sockets: sockets, State: true, Logs: []wire.LogID{1, 2}}}
	return c
}
