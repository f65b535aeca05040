package telemetry_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"selvedge/internal/config"
	"selvedge/internal/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func get(h http.Handler, path string) (int, string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, http.NoBody))
	return w.Code, w.Body.String()
}

func newConfig() telemetry.AdminConfig {
	return telemetry.AdminConfig{
		Registry: telemetry.NewRegistry(config.Build{Version: "v1", Commit: "abc", Go: "go1"}),
		Ready:    telemetry.NewReady(),
	}
}

func TestReadiness(t *testing.T) {
	ready := telemetry.NewReady("log", "gossip")
	cfg := newConfig()
	cfg.Ready = ready
	admin := telemetry.AdminHandler(cfg)
	expect := func(code int, detail string) {
		t.Helper()
		if c, body := get(admin, "/readyz"); c != code || body != detail+"\n" {
			t.Errorf("/readyz = %d %q, want %d %q", c, body, code, detail)
		}
		short := "ok\n"
		if code != http.StatusOK {
			short = "not ready\n"
		}
		if c, body := get(ready.Status(), "/readyz"); c != code || body != short {
			t.Errorf("public /readyz = %d %q, want %d %q", c, body, code, short)
		}
		if c, body := get(admin, "/healthz"); c != http.StatusOK || body != "ok\n" {
			t.Errorf("/healthz = %d %q whatever the readiness", c, body)
		}
	}
	expect(503, "log: starting\ngossip: starting")
	ready.Met("log")
	expect(503, "gossip: starting")
	ready.Met("gossip")
	expect(200, "ok")
	ready.Unmet("drain", "draining since 12:00")
	ready.Unmet("gossip", "alone")
	expect(503, "gossip: alone\ndrain: draining since 12:00")
	ready.Met("drain")
	ready.Met("gossip")
	ready.Met("never heard of")
	expect(200, "ok")
}

func TestAdminPaths(t *testing.T) {
	cfg := newConfig()
	cfg.Varz = func() any { return map[string]int{"sockets": 3} }
	cfg.Mount = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "mount "+r.URL.Path) })
	h := telemetry.AdminHandler(cfg)
	tests := []struct {
		path string
		code int
		want string
	}{
		{"/metrics", 200, `selvedge_build_info{commit="abc",go="go1",version="v1"} 1`},
		{"/metrics", 200, "go_goroutines "},
		{"/metrics", 200, "process_start_time_seconds "},
		{"/varz", 200, `"sockets": 3`},
		{"/debug/pprof/", 200, "goroutine"},
		{"/debug/pprof/goroutine?debug=1", 200, "goroutine profile"},
		{"/", 200, "mount /"},
		{"/console/state", 200, "mount /console/state"},
	}
	for _, tt := range tests {
		if code, body := get(h, tt.path); code != tt.code || !strings.Contains(body, tt.want) {
			t.Errorf("%s = %d %.200q, want %d and %q", tt.path, code, body, tt.code, tt.want)
		}
	}
}

func TestAdminPathsBare(t *testing.T) {
	cfg := newConfig()
	if code, body := get(telemetry.AdminHandler(cfg), "/varz"); code != 200 || body != "{}\n" {
		t.Errorf("/varz = %d %q", code, body)
	}
	if code, _ := get(telemetry.AdminHandler(cfg), "/"); code != 404 {
		t.Errorf("/ = %d", code)
	}
	cfg.Varz = func() any { return func() {} }
	if code, _ := get(telemetry.AdminHandler(cfg), "/varz"); code != 500 {
		t.Errorf("/varz that is no JSON = %d", code)
	}
}

func TestStartAdmin(t *testing.T) {
	admin, err := telemetry.StartAdmin("127.0.0.1:0", newConfig())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := telemetry.StartAdmin(admin.Addr(), newConfig()); !errors.Is(err, telemetry.ErrAddrInUse) {
		t.Errorf("second server on the same port: %v", err)
	}
	client := &http.Client{Timeout: 5 * time.Second}
	resp, err := client.Get("http://" + admin.Addr() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.Body.Close() != nil || resp.StatusCode != 200 {
		t.Errorf("healthz: %d, %v", resp.StatusCode, err)
	}
	client.CloseIdleConnections()
	if err := admin.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestCloseCutsWhatDoesNotEnd(t *testing.T) {
	entered := make(chan struct{})
	cfg := newConfig()
	cfg.Mount = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	})
	admin, err := telemetry.StartAdmin("127.0.0.1:0", cfg)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{}}
	answered := make(chan error, 1)
	go func() {
		resp, err := client.Get("http://" + admin.Addr() + "/hangs")
		if err == nil {
			err = resp.Body.Close()
		}
		answered <- err
	}()
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := admin.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Close = %v", err)
	}
	select {
	case err := <-answered:
		if err == nil {
			t.Error("the request was answered")
		}
	case <-time.After(10 * time.Second):
		t.Error("a request outlived Close")
	}
}

func TestInstrument(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := telemetry.NewHTTPMetrics(reg)
	h := m.Instrument("publish", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/bad" {
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	_, _ = get(h, "/good")
	_, _ = get(h, "/good")
	_, _ = get(h, "/bad")
	families, err := reg.Gather()
	if err != nil || len(families) != 1 || families[0].GetName() != "selvedge_api_request_duration_seconds" {
		t.Fatalf("gathered %v, %v", families, err)
	}
	counts := map[string]uint64{}
	for _, metric := range families[0].GetMetric() {
		key := ""
		for _, l := range metric.GetLabel() {
			key += l.GetName() + "=" + l.GetValue() + " "
		}
		counts[key] = metric.GetHistogram().GetSampleCount()
	}
	if len(counts) != 2 || counts["call=publish code=200 "] != 2 || counts["call=publish code=400 "] != 1 {
		t.Errorf("counted %v", counts)
	}
}
