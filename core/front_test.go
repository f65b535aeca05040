package core

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"selvedge/internal/config"
	"selvedge/internal/identity"
	"selvedge/internal/node"
	"selvedge/internal/telemetry"
	"selvedge/topology/region"

	corelog "selvedge/core/log"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ports is the system's network, and remembers the addresses.
type ports struct {
	telemetry.Network

	mu    sync.Mutex
	addrs map[string]string // guarded by mu; by kind
}

func (p *ports) Listen(kind, addr, flag string) (net.Listener, error) {
	ln, err := p.Network.Listen(kind, addr, flag)
	if err == nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.addrs[kind] = ln.Addr().String()
	}
	return ln, err
}

func (p *ports) url(kind string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.addrs[kind] == "" {
		return ""
	}
	return "http://" + p.addrs[kind]
}

// A core that waits for the other two says so at all its ports, refuses what it
// can't do yet, and stops when it is told to.
func TestACoreThatWaitsAnswers(t *testing.T) {
	id, err := identity.DevNode(identity.RoleCore, "core-1")
	if err != nil {
		t.Fatal(err)
	}
	place, ok := region.Lookup("us-east")
	if !ok {
		t.Fatal("no such region")
	}
	opened := &ports{Network: telemetry.OpenedBy(nil), addrs: map[string]string{}}
	const anywhere = "127.0.0.1:0"
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, Config{
			Name: "core-1", Region: place, Keys: node.Keys{Identity: id, Gossip: identity.DevGossipKey()}, APIKeys: identity.DevAPIKeys(),
			Build: config.ReadBuild(), Logger: slog.New(slog.DiscardHandler), Network: opened,
			APIAddr: anywhere, LinkAddr: anywhere, GossipAddr: anywhere, AdminAddr: anywhere, LogAddr: anywhere,
			Reachable: func(bound net.Addr) (string, error) { return bound.String(), nil },
			Log:       corelog.Config{Dir: t.TempDir(), Replicas: 3},
		})
	}()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("it ends with %v", err)
		}
	}()

	const waits = "waiting for the other cores: 0 of 2 known"
	deadline := time.Now().Add(10 * time.Second)
	for opened.url("admin") == "" || !strings.Contains(ask(t, http.MethodGet, opened.url("admin")+"/readyz").body, waits) {
		if time.Now().After(deadline) {
			t.Fatal("it does not say that it waits")
		}
	}
	for _, test := range []struct {
		method, port, path string
		status             int
		says               string
	}{
		{http.MethodGet, "admin", "/healthz", 200, "ok"},
		{http.MethodGet, "admin", "/readyz", 503, waits},
		{http.MethodGet, "admin", "/metrics", 200, "selvedge_build_info"},
		{http.MethodGet, "admin", "/varz", 200, waits},
		{http.MethodGet, "admin", "/debug/pprof/cmdline", 200, ""},
		{http.MethodGet, "admin", "/", 503, "waits for its logs"},
		{http.MethodGet, "api", "/healthz", 200, "ok"},
		{http.MethodGet, "api", "/readyz", 503, "not ready"},
		{http.MethodGet, "api", "/v1/cluster", 503, `"code":"unavailable"`},
		{http.MethodPost, "api", "/v1/publish", 503, `"code":"unavailable"`},
		{http.MethodGet, "api", "/", 503, `"code":"unavailable"`},
	} {
		got := ask(t, test.method, opened.url(test.port)+test.path)
		if got.status != test.status || !strings.Contains(got.body, test.says) {
			t.Errorf("%s%s: %d %s; want %d with %q", test.port, test.path, got.status, got.body, test.status, test.says)
		}
		if refused := strings.Contains(got.body, "unavailable"); refused && got.retryAfter == "" {
			t.Errorf("%s%s: no Retry-After", test.port, test.path)
		}
	}
}

type answer struct {
	status           int
	body, retryAfter string
}

func ask(t *testing.T, method, url string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, string(b), res.Header.Get("Retry-After")}
}
