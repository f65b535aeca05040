package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	backend "selvedge/core/client"
	"selvedge/internal/identity"
	"selvedge/simulations/fleet"
	"selvedge/simulations/ledger"
	"selvedge/topology"
	"selvedge/wire"
)

// crowd is a client each for n rooms at an edge; of a room, there are its own client
// and the next one's.
func crowd(t *testing.T, core *fleet.Node, book *ledger.Ledger, n int, edge string) []*listener {
	t.Helper()
	api := &backend.Client{BaseURL: core.URL, Key: identity.DevAPIKey}
	name := func(i int) wire.UserID { return wire.UserID(fmt.Sprint("u", i%n)) }
	var out []*listener
	for i := range n {
		if _, err := api.PutRoom(t.Context(), roomOf(i), backend.Document{Data: object(t, `{}`)}); err != nil {
			t.Fatal(err)
		}
		if _, err := api.ChangeMembers(t.Context(), roomOf(i), []wire.UserID{name(i), name(i + 1)}, nil); err != nil {
			t.Fatal(err)
		}
		book.Expect(string(name(i)), wire.RoomChannel(roomOf(i)))
		book.Expect(string(name(i+1)), wire.RoomChannel(roomOf(i)))
	}
	for i := range n {
		l := listen(t, string(name(i)), nil, edge)
		account(t, book, string(name(i)), l)
		out = append(out, l)
	}
	for _, l := range out {
		next(t, "welcome", l.welcome)
	}
	return out
}

// spread reads how many clients a node has asked to move, until it is gone, counted
// from now.
func spread(t *testing.T, n *fleet.Node, of int) <-chan map[int]time.Duration {
	start, out := time.Now(), make(chan map[int]time.Duration, 1)
	go func() {
		when := map[int]time.Duration{} // a quarter of them, two, three, all were asked
		for {
			select {
			case <-n.Done():
				out <- when
				return
			case <-time.After(20 * time.Millisecond):
			}
			is, err := fleet.ReadMetrics(context.WithoutCancel(t.Context()), n.Admin)
			if err != nil {
				continue // it is going
			}
			asked := int(is["selvedge_edge_goaways_total"])
			for quarter := 1; quarter <= 4; quarter++ {
				if _, seen := when[quarter]; !seen && asked >= of*quarter/4 {
					when[quarter] = time.Since(start)
				}
			}
		}
	}()
	return out
}

// An edge that is told to stop while its clients publish says so to everybody, and
// asks them to move one after the other. None is cut, all have an answer to each
// publish, and get everything once and in order; then it ends with status 0.
func TestStoppedEdgeMovesItsClients(t *testing.T) {
	const window = 4 * time.Second
	f := startFleet(t)
	stops := startEdge(t, f, "--drain", window.String())
	stays := startEdge(t, f)
	awaitNamed(t, stops.URL, stays.URL)
	book := ledger.New()
	all := crowd(t, f.Core, book, publishers, stops.URL)
	talk := newTalkers(t, book, all, 0, 300*time.Millisecond)
	talk.await(t, 2*publishers)
	gone, asked := unready(t, stops), spread(t, stops, publishers)
	start := time.Now()
	signalTo(t, stops)
	api := &backend.Client{BaseURL: f.Core.URL, Key: identity.DevAPIKey}
	for told := false; !told; {
		cluster, err := api.Cluster(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		told = slices.ContainsFunc(cluster.Nodes, func(n topology.Node) bool { return n.State == topology.StateDraining })
		if !told && time.Since(start) > window/2 {
			t.Fatalf("gossip does not say that the edge drains: %+v", cluster.Nodes)
		}
	}
	if took := next(t, "503 of readyz", gone); took > time.Second {
		t.Errorf("readyz was 200 for %v after the signal", took)
	}
	next(t, "end of the edge", stops.Done())
	took := time.Since(start)
	if err := stops.Stop(); err != nil { // which has ended
		t.Errorf("the edge ended with %v", err)
	}
	when := next(t, "count of goaways", asked)
	t.Logf("stopped in %v; a quarter of the clients was asked to move after %v, half after %v, all after %v", took, when[1], when[2], when[4])
	if took > window+5*time.Second {
		t.Errorf("it took %v to stop", took)
	}
	if when[1] < window/16 || when[2] < window/5 || when[3]-when[1] < window/5 {
		t.Errorf("the clients were not asked one after the other: %v", when)
	}
	talk.await(t, talk.count()+publishers)
	talk.stop()
	if len(talk.bad)+talk.refused > 0 {
		t.Errorf("%d publishes have no answer, %d were refused: %q", len(talk.bad), talk.refused, head(talk.bad))
	}
	for i, l := range all {
		if w := next(t, "second welcome", l.welcome); !w.Resumed || w.Edge.ID != stays.Name {
			t.Errorf("u%d came to %s, resumed %t", i, w.Edge.ID, w.Resumed)
		}
		if len(l.welcome) > 0 || l.cuts.Load() > 0 {
			t.Errorf("u%d was cut %d times", i, l.cuts.Load())
		}
	}
	t.Logf("%d publishes acknowledged; the longest took %v", talk.acked, talk.longest)
	complete(t, book)
}

// A second signal ends a node at once, by the signal.
func TestSecondSignal(t *testing.T) {
	f := startFleet(t)
	stops := startEdge(t, f, "--drain", "10m")
	stays := startEdge(t, f)
	awaitNamed(t, stops.URL, stays.URL)
	book := ledger.New()
	crowd(t, f.Core, book, 1, stops.URL)
	// The second is sent when the first was heard: two that are pending are one.
	signalTo(t, stops)
	awaitStopping(t, stops)
	start := time.Now()
	signalTo(t, stops)
	next(t, "end of the edge", stops.Done())
	exit, ok := errors.AsType[*exec.ExitError](stops.Stop())
	if !ok {
		t.Fatal("it ended in good order")
	}
	if s, ok := exit.Sys().(syscall.WaitStatus); !ok || !s.Signaled() || s.Signal() != syscall.SIGTERM {
		t.Errorf("it ended with %v, want the signal", exit)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("it ended %v after the second signal", took)
	}
}

// signalTo asks a node to stop.
func signalTo(t *testing.T, n *fleet.Node) {
	t.Helper()
	if err := syscall.Kill(n.PID(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
}

// awaitStopping waits until a node says that it has heard that it shall stop.
func awaitStopping(t *testing.T, n *fleet.Node) {
	t.Helper()
	for start := time.Now(); ; <-time.After(time.Millisecond) {
		res, err := http.Get(n.Admin + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		why, err := io.ReadAll(res.Body)
		if err = errors.Join(err, res.Body.Close()); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(why), "stopping") {
			return
		}
		if time.Since(start) > patience {
			t.Fatalf("the signal was not heard: %s", why)
		}
	}
}

// startEdge adds an edge in eu-west.
func startEdge(t *testing.T, f *fleet.Fleet, flags ...string) *fleet.Node {
	t.Helper()
	n, err := f.StartEdge(t.Context(), "eu-west", flags...)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
