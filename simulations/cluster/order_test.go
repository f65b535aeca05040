package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	backend "selvedge/core/client"
	"selvedge/edge"
	"selvedge/edge/client"
	"selvedge/internal/identity"
	"selvedge/simulations/fleet"
	"selvedge/simulations/ledger"
	"selvedge/topology"
	"selvedge/wire"
)

// apiOf is the API of a core.
func apiOf(core *fleet.Node) *backend.Client {
	return &backend.Client{BaseURL: core.URL, Key: identity.DevAPIKey, Retries: -1}
}

// left waits until a node has ended, which must be in good order.
func left(t *testing.T, n *fleet.Node) {
	t.Helper()
	next(t, "end of "+n.Name, n.Done())
	if err := n.Stop(); err != nil { // which has ended
		t.Errorf("%s ended with %v", n.Name, err)
	}
}

// An edge that a core is asked to drain does what SIGTERM does: nobody is cut, nothing
// is lost, and it ends with status 0.
func TestOrderedEdgeMovesItsClients(t *testing.T) {
	const clients = 40
	f := startFleet(t)
	stops := startEdge(t, f, "--drain", "2s")
	stays := startEdge(t, f)
	awaitNamed(t, stops.URL, stays.URL)
	book := ledger.New()
	all := crowd(t, f.Core, book, clients, stops.URL)
	talk := newTalkers(t, book, all, 0, 100*time.Millisecond)
	talk.await(t, 2*clients)
	d, err := apiOf(f.Core).Drain(t.Context(), topology.NodeID(stops.Name), false)
	if err != nil || d.Node != topology.NodeID(stops.Name) || d.Role != topology.RoleEdge || d.State != topology.StateDraining {
		t.Fatalf("%+v, %v", d, err)
	}
	if again, err := apiOf(f.Core).Drain(t.Context(), topology.NodeID(stops.Name), false); err != nil || again != d {
		t.Errorf("told again: %+v, %v", again, err)
	}
	left(t, stops)
	talk.await(t, talk.count()+clients)
	talk.stop()
	if len(talk.bad)+talk.refused > 0 {
		t.Errorf("%d publishes have no answer, %d were refused: %q", len(talk.bad), talk.refused, head(talk.bad))
	}
	for i, l := range all {
		if w := next(t, "second welcome", l.welcome); !w.Resumed || w.Edge.ID != stays.Name || l.cuts.Load() > 0 {
			t.Errorf("u%d came to %s, resumed %t, cut %d times", i, w.Edge.ID, w.Resumed, l.cuts.Load())
		}
	}
	complete(t, book)
	if _, err := apiOf(f.Core).Drain(t.Context(), topology.NodeID(stays.Name), false); !backend.IsCode(err, wire.Conflict) {
		t.Errorf("the last edge of its region: %v", err)
	}
}

// Any core takes the order for any node: for an edge that has no link to it, and for
// another core. One that two copies of the logs would miss stays.
func TestAnOrderIsPassedOn(t *testing.T) {
	// With one frame log and the state log, an edge has links to two cores at most.
	f := startFleetOf(t, fleet.Config{Cores: 3, CoreFlags: []string{"--replicas", "3", "--logs", "1"}, Regions: []string{"us-east"}, EdgeFlags: []string{"--log-level", "info"}})
	node := f.Edges[0]
	asked := -1
	for deadline := time.Now().Add(patience); asked < 0; {
		if time.Now().After(deadline) {
			t.Fatal("the edge has a link to every core")
		}
		for i, core := range f.Cores {
			cluster, err := apiOf(core).Cluster(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			linked := slices.ContainsFunc(cluster.Links, func(l backend.Link) bool { return string(l.Node) == node.Name })
			knows := slices.ContainsFunc(cluster.Nodes, func(n topology.Node) bool {
				return string(n.ID) == node.Name && n.State == topology.StateReady
			})
			if knows && !linked {
				asked = i
			}
		}
	}
	core := f.Cores[asked]
	if _, err := apiOf(core).Drain(t.Context(), topology.NodeID(node.Name), true); err != nil {
		t.Fatal(err)
	}
	left(t, node)
	if log := node.Log(); !strings.Contains(log, `msg="told to drain"`) || !strings.Contains(log, "by=dev via="+core.Name) {
		t.Errorf("the edge does not say who told it: %s", log)
	}
	second, third := f.Cores[(asked+1)%3], f.Cores[(asked+2)%3]
	settle(t, func() error { // three cores may still be electing
		_, err := apiOf(core).Drain(t.Context(), topology.NodeID(second.Name), false)
		return err
	})
	left(t, second)
	if _, err := apiOf(core).Drain(t.Context(), topology.NodeID(third.Name), false); !backend.IsCode(err, wire.Conflict) {
		t.Errorf("the second of three copies: %v", err)
	}
}

// A team that is asked to move goes to one edge, all of it.
func TestATeamMovesTogether(t *testing.T) {
	r := newRig(t)
	cfg := r.edgeConfig("e1", "eu-west", "portable")
	cfg.Drain = time.Second
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- edge.Run(ctx, cfg) }()
	leaving := "http://" + cfg.PublicAddr
	r.await(leaving + "/readyz")
	for _, name := range []string{"e2", "e3"} {
		awaitNamed(t, leaving, r.edge(name, "eu-west", "portable"))
	}
	landed := make(chan string, 100)
	const clients = 12
	for i := range clients {
		now := time.Now()
		tok, err := identity.Sign([]byte(identity.DevTokenSecret), identity.Claims{User: fmt.Sprint("u", i), Team: "red", Expires: now.Add(time.Hour)}, now)
		if err != nil {
			t.Fatal(err)
		}
		welcome := make(chan *wire.Welcome, 9)
		c, err := client.New(client.Config{
			Edges: []string{leaving}, Token: func(context.Context) (string, error) { return tok, nil },
			Events: client.Events{Welcome: func(w *wire.Welcome) { welcome <- w }},
		})
		if err != nil {
			t.Fatal(err)
		}
		run(t, "client", func(ctx context.Context) error {
			if err := c.Run(ctx); !errors.Is(err, context.Canceled) {
				return err
			}
			return nil
		})
		if w := next(t, "welcome", welcome); w.Edge.ID != "e1" {
			t.Fatalf("it begins at %s", w.Edge.ID)
		}
		go func() { landed <- (<-welcome).Edge.ID }()
	}
	stop()
	at := map[string]int{}
	for range clients {
		at[next(t, "second welcome", landed)]++
	}
	if len(at) != 1 || at["e1"] > 0 {
		t.Errorf("the team is at %v", at)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
