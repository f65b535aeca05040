package console_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"selvedge/core/console"
	"selvedge/topology"
	"selvedge/wire/link"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cluster is a core with one linked edge and one that another core has.
func cluster() console.Config {
	nodes := []topology.Node{
		{ID: "core-1", Role: topology.RoleCore, Region: "us-east", Lat: 39, Lon: -77, State: topology.StateReady, Version: "v1"},
		{ID: "edge-eu", Role: topology.RoleEdge, Region: "eu-west", Lat: 53, Lon: -6, State: topology.StateReady, Public: "http://e", Load: 0.25},
		{ID: "edge-far", Role: topology.RoleEdge, Region: "mars", State: topology.StateStarting},
	}
	return console.Config{
		Self:  "core-1",
		Nodes: func() topology.Snapshot { return topology.NewSnapshot(1, nodes) },
		Links: func() []link.PeerInfo {
			return []link.PeerInfo{{
				Node: "edge-eu", Region: "eu-west", RTT: 70 * time.Millisecond, Logs: 17, State: true,
				Status: link.Status{Sockets: 5, SocketsLimit: 9, DelayMillis: 41.5, RTTMillis: 68, UptimeMillis: 61_000},
			}}
		},
		Published: func() uint64 { return 0 },
		Sent:      func() (uint64, uint64) { return 0, 0 },
		Epoch:     func() string { return "e1" },
		Logs:      16,
	}
}

func get(t *testing.T, c *console.Console, path string) *http.Response {
	t.Helper()
	w := httptest.NewRecorder()
	c.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return w.Result()
}

type object = map[string]any

func state(t *testing.T, c *console.Console) object {
	t.Helper()
	res := get(t, c, "/console/state")
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "application/json" || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("state is answered by %d with %v", res.StatusCode, res.Header)
	}
	var s object
	if err := json.NewDecoder(res.Body).Decode(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStateIsWhatGossipAndLinksTell(t *testing.T) {
	s := state(t, console.New(cluster()))
	if now, ok := s["now"].(float64); !ok || time.Since(time.UnixMilli(int64(now))).Abs() > time.Minute {
		t.Errorf("now is %v", s["now"])
	}
	delete(s, "now")
	node := func(fields object) object {
		all := object{
			"title": "", "lat": 0., "lon": 0., "sockets": 0., "sockets_limit": 0., "frames_per_s": 0., "delivered_per_s": 0.,
			"lag_ms": 0., "load": 0., "relay_logs": 0., "rtt_ms": 0., "version": "", "uptime_s": 0.,
		}
		maps.Copy(all, fields)
		return all
	}
	want := object{
		"cluster": object{"epoch": "e1", "logs": 16.}, "publishes_per_s": 0.,
		"nodes": []any{
			node(object{"id": "core-1", "role": "core", "region": "us-east", "lat": 39., "lon": -77., "state": "ready", "version": "v1"}),
			node(object{
				"id": "edge-eu", "role": "edge", "region": "eu-west", "lat": 53., "lon": -6., "state": "ready", "url": "http://e", "load": 0.25,
				"sockets": 5., "sockets_limit": 9., "lag_ms": 41.5, "relay_logs": 16., "rtt_ms": 68., "uptime_s": 61.,
			}),
			node(object{"id": "edge-far", "role": "edge", "region": "mars", "state": "starting"}),
		},
		"links": []any{object{
			"from": "core-1", "to": "edge-eu", "scope": "ocean", "rtt_ms": 68., "logs": 16., "frames_per_s": 0., "bytes_per_s": 0., "up": true,
		}},
	}
	for i, n := range s["nodes"].([]any) {
		n := n.(object)
		title, known := n["title"].(string)
		if region := n["region"].(string); !known || title == "" || (title == region) != (region == "mars") {
			t.Errorf("region %s is called %q", region, title)
		}
		want["nodes"].([]any)[i].(object)["title"] = title
	}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A core alone, that gossip does not show yet, has lists all the same: the page
// goes through them.
func TestStateOfNothing(t *testing.T) {
	cfg := cluster()
	cfg.Nodes = func() topology.Snapshot { return topology.Snapshot{} }
	cfg.Links = func() []link.PeerInfo { return nil }
	s := state(t, console.New(cfg))
	if n, ok := s["nodes"].([]any); !ok || len(n) != 0 {
		t.Errorf("nodes are %v, want an empty list", s["nodes"])
	}
	if l, ok := s["links"].([]any); !ok || len(l) != 0 {
		t.Errorf("links are %v, want an empty list", s["links"])
	}
}

// What the page's scripts read of nodes and links is there.
func TestStateHasEveryFieldThatThePageReads(t *testing.T) {
	cfg := cluster()
	c := console.New(cfg)
	s := state(t, c)
	names := map[string][]string{}
	for list, letter := range map[string]string{"nodes": "n", "links": "l"} {
		field := regexp.MustCompile(`\b` + letter + `\.([a-z]+(?:_[a-z]+)*)\b`)
		for _, file := range []string{"console.js", "map.js", "table.js"} {
			text, err := os.ReadFile("web/" + file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range field.FindAllStringSubmatch(string(text), -1) {
				names[list] = append(names[list], m[1])
			}
		}
		slices.Sort(names[list])
		names[list] = slices.Compact(names[list])
	}
	own := []string{"gone", "past", "key", "seen"} // what the page adds
	for list, fields := range names {
		if len(fields) < 6 {
			t.Errorf("of %s, only %v were found in the scripts", list, fields)
		}
		for _, f := range fields {
			if _, ok := s[list].([]any)[0].(object)[f]; !ok && !slices.Contains(own, f) {
				t.Errorf("%s have no field %q", list, f)
			}
		}
	}
}

func TestPageIsServed(t *testing.T) {
	c := console.New(cluster())
	for path, want := range map[string]string{"/": "text/html", "/console.js": "text/javascript", "/map.js": "text/javascript", "/console.css": "text/css"} {
		if res := get(t, c, path); res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), want) {
			t.Errorf("%s: %d, %s", path, res.StatusCode, res.Header.Get("Content-Type"))
		}
	}
	if res := get(t, c, "/none"); res.StatusCode != http.StatusNotFound {
		t.Errorf("/none: %d", res.StatusCode)
	}
}

func TestRunMovesTheRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := cluster()
		began := time.Now()
		cfg.Published = func() uint64 { return 50 * uint64(time.Since(began).Seconds()) }
		cfg.Sent = func() (uint64, uint64) {
			s := uint64(time.Since(began).Seconds())
			return 300 * s, 7000 * s
		}
		cfg.Links = func() []link.PeerInfo {
			up := time.Since(began)
			return []link.PeerInfo{{Node: "edge-eu", Status: link.Status{UptimeMillis: up.Milliseconds(), Delivered: 20 * uint64(up.Seconds())}}}
		}
		c := console.New(cfg)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.Run(ctx) }()
		time.Sleep(5500 * time.Millisecond)
		if got := state(t, c)["publishes_per_s"]; got != 50. {
			t.Errorf("%v published/s, want 50", got)
		}
		if r := c.Rates(); r.Published != 50 || r.RegionBytes != 300 || r.OceanBytes != 7000 || r.Node("edge-eu").Delivered != 20 || r.Node("none").Delivered != 0 {
			t.Errorf("the rates are %+v", r)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// With several cores, one alone feeds the state log to an edge.
func TestLogsOfALinkWithoutTheStateLog(t *testing.T) {
	for _, has := range []bool{true, false} {
		cfg := cluster()
		cfg.Links = func() []link.PeerInfo { return []link.PeerInfo{{Node: "edge-eu", Logs: 6, State: has}} }
		want := 6.
		if has {
			want = 5
		}
		if got := state(t, console.New(cfg))["links"].([]any)[0].(object)["logs"]; got != want {
			t.Errorf("state log %v: %v frame logs, want %v", has, got, want)
		}
	}
}
