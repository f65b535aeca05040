package cluster

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"selvedge/core"
	backend "selvedge/core/client"
	"selvedge/edge"
	"selvedge/internal/config"
	"selvedge/internal/identity"
	"selvedge/simulations/fleet"
	"selvedge/simulations/ledger"
	"selvedge/topology"
	"selvedge/wire"
)

// nodeEnv makes this test's binary a node: real processes, to be killed.
const nodeEnv = "SELVEDGE_TEST_NODE"

func TestMain(m *testing.M) {
	if os.Getenv(nodeEnv) == "" {
		os.Exit(m.Run())
	}
	var cli struct {
		Core core.Command `cmd:""`
		Edge edge.Command `cmd:""`
	}
	os.Exit(config.Main(config.Signalled(context.Background()), os.Args[1:], config.IO{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}, &cli,
		kong.Vars{"transport": edge.DefaultTransport()}))
}

func startFleet(t *testing.T, regions ...string) *fleet.Fleet {
	t.Helper()
	return startFleetOf(t, fleet.Config{Regions: regions})
}

func startFleetOf(t *testing.T, cfg fleet.Config) *fleet.Fleet {
	t.Helper()
	var err error
	if cfg.Binary, err = os.Executable(); err != nil {
		t.Fatal(err)
	}
	cfg.Env = []string{nodeEnv + "=1"}
	cfg.Patience = time.Minute // of three cores that elect leaders on a busy disk
	f, err := fleet.Run(t.Context(), cfg)
	t.Cleanup(f.Stop)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func object(t *testing.T, text string) wire.Data { return data(t, text) }

// An edge that is killed is known to the others within five seconds, and its
// clients land elsewhere by themselves and miss nothing.
func TestKilledEdge(t *testing.T) {
	f := startFleet(t, "us-east", "eu-west", "ap-southeast")
	api := &backend.Client{BaseURL: f.Core.URL, Key: identity.DevAPIKey}
	ctx := t.Context()
	if _, err := api.PutRoom(ctx, "general", backend.Document{Data: object(t, `{}`)}); err != nil {
		t.Fatal(err)
	}
	if _, err := api.ChangeMembers(ctx, "general", []wire.UserID{"u1"}, nil); err != nil {
		t.Fatal(err)
	}
	l := listen(t, "u1", nil, f.Edges[1].URL)
	next(t, "welcome", l.welcome)
	// The client asks its edge for the others once it is welcome: it knows
	// them when a round trip has passed on a socket that is up.
	publish := func(n int) {
		t.Helper()
		if _, err := api.Publish(ctx, backend.Message{Channel: "room:general", Data: object(t, fmt.Sprintf(`{"n":%d}`, n))}); err != nil {
			t.Fatal(err)
		}
	}
	publish(0)
	next(t, "message", l.messages)
	awaitKnown(t, l)
	killed := time.Now()
	f.Edges[1].Kill()
	publish(1)
	if m := next(t, "message after the kill", l.messages); m.Data.String() != `{"n":1}` {
		t.Errorf("got %s", m.Data)
	}
	if w := next(t, "second welcome", l.welcome); !w.Resumed {
		t.Error("the session was not resumed")
	}
	for {
		cluster, err := api.Cluster(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(cluster.Nodes, func(n topology.Node) bool { return n.ID == "edge-2" }) {
			break
		}
		if took := time.Since(killed); took > 5*time.Second {
			t.Fatalf("after %v the killed edge is still a member: %+v", took, cluster.Nodes)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// awaitKnown waits until the client knows more edges than the one it was given.
func awaitKnown(t *testing.T, l *listener) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for len(l.Edges()) < 2 {
		if time.Now().After(deadline) {
			t.Fatal("the client knows of no other edge")
		}
		<-time.After(10 * time.Millisecond)
	}
}

// A core that is killed in the midst of publishes, and started again, has all
// that it acknowledged, and every client gets it once and in order.
func TestKilledCore(t *testing.T) {
	f := startFleet(t, "us-east")
	api := &backend.Client{BaseURL: f.Core.URL, Key: identity.DevAPIKey, Retries: -1}
	ctx := t.Context()
	const channel = "room:general"
	if _, err := api.PutRoom(ctx, "general", backend.Document{Data: object(t, `{}`)}); err != nil {
		t.Fatal(err)
	}
	if _, err := api.ChangeMembers(ctx, "general", []wire.UserID{"u1"}, nil); err != nil {
		t.Fatal(err)
	}
	book := ledger.New()
	book.Expect("u1", channel)
	l := listen(t, "u1", nil, f.Edges[0].URL)
	next(t, "welcome", l.welcome)
	n := 0
	publish := func() bool {
		_, err := api.Publish(ctx, backend.Message{Channel: channel, Data: object(t, fmt.Sprintf(`{"n":%d}`, n))})
		if err == nil {
			book.Acknowledged(channel, n)
		}
		n++
		return err == nil
	}
	for n < 500 {
		if !publish() {
			t.Fatal("a publish failed before the kill")
		}
	}
	killed := make(chan struct{})
	go func() {
		defer close(killed)
		f.Core.Kill()
	}()
	for publish() {
	}
	<-killed
	if err := f.StartCore(ctx); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if !publish() {
			t.Fatalf("a publish failed after the restart")
		}
	}
	for seen := -1; seen < n-1; {
		m := next(t, "message", l.messages)
		var body struct {
			N int `json:"n"`
		}
		if err := wire.Msgpack.Decode(m.Data, &body); err != nil {
			t.Fatal(err)
		}
		book.Saw("u1", channel, body.N)
		seen = max(seen, body.N)
	}
	if r := book.Result(); !r.Kept() {
		t.Errorf("promises were broken: %v", r)
	}
}
