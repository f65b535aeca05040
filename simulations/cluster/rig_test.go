package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"selvedge/core"
	corelog "selvedge/core/log"
	"selvedge/edge"
	"selvedge/internal/config"
	"selvedge/internal/identity"
	"selvedge/internal/node"
	"selvedge/simulations/fleet"
	"selvedge/topology/region"
)

// patience bounds every wait of these tests; none comes near it.
const patience = 30 * time.Second

// rig is a cluster of real nodes in this process.
type rig struct {
	t     *testing.T
	api   string // URL
	ctl   string // the core's gossip address
	admin string // the core's admin port
}

// freeAddrs are loopback addresses that nobody uses, for TCP and UDP.
func freeAddrs(t *testing.T, n int) []string {
	t.Helper()
	out, err := fleet.FreeAddrs(n)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func logger(t *testing.T, name string) *slog.Logger {
	w := &testWriter{t: t}
	t.Cleanup(w.end)
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelInfo})).With("node", name)
}

// testWriter shows a node's log lines with its test. What comes after the test, as
// timers of memberlist do that its Shutdown does not stop, is not shown.
type testWriter struct {
	t *testing.T

	mu   sync.Mutex
	over bool // guarded by mu
}

func (w *testWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.over {
		w.t.Log(string(bytes.TrimSpace(b)))
	}
	return len(b), nil
}

func (w *testWriter) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
}

func reachable(a net.Addr) (string, error) { return a.String(), nil }

// run runs a node until the test ends.
func run(t *testing.T, name string, node func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- node(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	})
}

// newRig starts a core.
func newRig(t *testing.T) *rig {
	t.Helper()
	addrs := freeAddrs(t, 4)
	keys := devKeys(t, "core", "core-1")
	place, _ := region.Lookup("us-east")
	cfg := core.Config{
		Name: "core-1", Region: place, Keys: keys, APIKeys: identity.DevAPIKeys(), Build: config.ReadBuild(), Logger: logger(t, "core-1"),
		APIAddr: addrs[0], LinkAddr: addrs[1], GossipAddr: addrs[2], AdminAddr: addrs[3], Reachable: reachable,
		Log: corelog.Config{Dir: t.TempDir()},
	}
	run(t, "core-1", func(ctx context.Context) error { return core.Run(ctx, cfg) })
	r := &rig{t: t, api: "http://" + addrs[0], ctl: addrs[2], admin: addrs[3]}
	r.await("http://" + addrs[0] + "/readyz")
	return r
}

func devKeys(t *testing.T, role, name string) node.Keys {
	t.Helper()
	id, err := identity.DevNode(role, name)
	if err != nil {
		t.Fatal(err)
	}
	return node.Keys{Identity: id, Gossip: identity.DevGossipKey()}
}

// edge starts an edge and returns its URL.
func (r *rig) edge(name, in, transport string) (url string) {
	r.t.Helper()
	cfg := r.edgeConfig(name, in, transport)
	run(r.t, name, func(ctx context.Context) error { return edge.Run(ctx, cfg) })
	r.await("http://" + cfg.PublicAddr + "/readyz")
	return "http://" + cfg.PublicAddr
}

func (r *rig) edgeConfig(name, in, transport string) edge.Config {
	r.t.Helper()
	addrs := freeAddrs(r.t, 4)
	place, ok := region.Lookup(in)
	if !ok {
		r.t.Fatalf("no region %s", in)
	}
	return edge.Config{
		Name: name, Region: place, Keys: devKeys(r.t, "edge", name), Tokens: identity.DevTokens(), Seeds: []string{r.ctl},
		Build: config.ReadBuild(), Logger: logger(r.t, name),
		PublicAddr: addrs[0], LinkAddr: addrs[1], GossipAddr: addrs[2], AdminAddr: addrs[3], Reachable: reachable,
		Transport: transport, AllowedOrigins: []string{"*"}, Compression: true, CacheBytes: 64 << 20, Ping: 25 * time.Second,
	}
}

// await waits until a URL answers 200.
func (r *rig) await(url string) {
	r.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		res, err := http.Get(url)
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("%s: not ready: %v", url, err)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// call calls the core's API.
func (r *rig) call(method, path string, body any) {
	r.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		r.t.Fatal(err)
	}
	req, err := http.NewRequest(method, r.api+path, bytes.NewReader(b))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+identity.DevAPIKey)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 300 {
		r.t.Fatalf("%s %s: %s %s %v", method, path, res.Status, text, err)
	}
}

func (r *rig) room(id string, members ...string) {
	r.t.Helper()
	r.call("PUT", "/v1/rooms/"+id, map[string]any{"data": map[string]any{"name": id}})
	if len(members) > 0 {
		r.call("POST", "/v1/rooms/"+id+"/members", map[string]any{"add": members})
	}
}

func (r *rig) publish(ch string, n int) {
	r.t.Helper()
	r.call("POST", "/v1/publish", map[string]any{"channel": ch, "data": map[string]any{"n": n}})
}

func token(t *testing.T, user string) string {
	t.Helper()
	now := time.Now()
	tok, err := identity.Sign([]byte(identity.DevTokenSecret), identity.Claims{
		User: user, Publish: []string{"room:*", "topic:*"}, Subscribe: []string{"topic:*"}, Expires: now.Add(time.Hour),
	}, now)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}
