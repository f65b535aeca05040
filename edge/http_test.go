package edge

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"selvedge/wire"
)

// get asks the public port.
func get(n *edgeNode, method, target string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://edge-1.test"+target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	n.handler().ServeHTTP(w, r)
	return w
}

// refused checks an error answer.
func refused(t *testing.T, w *httptest.ResponseRecorder, status int, code wire.Code) {
	t.Helper()
	var body struct {
		Error struct {
			Code    wire.Code
			Message string
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatalf("%d %q: %v", w.Code, w.Body, err)
	}
	if w.Code != status || body.Error.Code != code || body.Error.Message == "" || strings.Contains(body.Error.Message, "\n") {
		t.Errorf("got %d %+v, want %d %s", w.Code, body.Error, status, code)
	}
}

func TestAnEdgeWithoutALinkTakesNoSockets(t *testing.T) {
	w := get(newNode(t), http.MethodGet, "/v1/socket")
	refused(t, w, http.StatusServiceUnavailable, wire.Unavailable)
	if w.Header().Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

func TestAFullEdgeTakesNoSockets(t *testing.T) {
	f := newFollower(t)
	f.n.limit = 0
	if err := f.Begin("e1", 1, []wire.Seq{0, 0}); err != nil {
		t.Fatal(err)
	}
	w := get(f.n, http.MethodGet, "/v1/socket")
	refused(t, w, http.StatusServiceUnavailable, wire.Unavailable)
	if w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "full") {
		t.Errorf("got %q, Retry-After %q", w.Body, w.Header().Get("Retry-After"))
	}
}

func TestOrigins(t *testing.T) {
	n := newNode(t)
	for _, test := range []struct {
		allowed []string
		origin  string
		want    bool
	}{
		{nil, "http://edge-1.test", true},
		{nil, "https://EDGE-1.test", true},
		{nil, "http://other.test", false},
		{nil, "null", false},
		{nil, "http://edge-1.test.evil.test", false},
		{[]string{"https://app.test"}, "https://app.test", true},
		{[]string{"https://app.test"}, "http://app.test", false},
		{[]string{"*"}, "http://other.test", true},
	} {
		n.cfg.AllowedOrigins = test.allowed
		w := get(n, http.MethodGet, "/v1/ping", "Origin", test.origin)
		got := w.Header().Get("Access-Control-Allow-Origin")
		if (got == test.origin) != test.want || got != "" && got != test.origin {
			t.Errorf("%s with %v allowed: got %q, want allowed %t", test.origin, test.allowed, got, test.want)
		}
		if w.Header().Get("Vary") != "Origin" || w.Code != http.StatusOK {
			t.Errorf("%s: %d, Vary %q", test.origin, w.Code, w.Header().Get("Vary"))
		}
	}
	w := get(n, http.MethodOptions, "/v1/edges", "Origin", "http://other.test", "Access-Control-Request-Method", "GET")
	if w.Code != http.StatusNoContent || w.Header().Get("Access-Control-Allow-Methods") != "GET" {
		t.Errorf("preflight: %d %v", w.Code, w.Header())
	}
}

func TestEdgesRanksForAPlace(t *testing.T) {
	n := newNode(t)
	for _, query := range []string{"", "?lat=52&lon=13", "?lat=-90&lon=180", "?limit=1", "?team=red"} {
		var body struct {
			Edges []struct {
				ID, Region, URL string
				Km              float64
			}
		}
		w := get(n, http.MethodGet, "/v1/edges"+query)
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != http.StatusOK || len(body.Edges) != 1 || body.Edges[0].ID != "edge-1" || body.Edges[0].URL != "http://edge-1.test" {
			t.Errorf("%q: %d %s, %v", query, w.Code, w.Body, err)
		}
	}
}

func TestEdgesRefusesNonsense(t *testing.T) {
	n := newNode(t)
	for _, query := range []string{
		"?lat=91&lon=0", "?lat=0&lon=-181", "?lat=0", "?lon=0", "?lat=x&lon=0", "?lat=NaN&lon=NaN", "?lat=Inf&lon=0",
		"?limit=0", "?limit=-1", "?limit=x", "?limit=99999999999999999999",
	} {
		refused(t, get(n, http.MethodGet, "/v1/edges"+query), http.StatusBadRequest, wire.BadRequest)
	}
}

func TestPingHealthAndWhatIsNotServed(t *testing.T) {
	n := newNode(t)
	if w := get(n, http.MethodGet, "/v1/ping"); w.Code != http.StatusOK || strings.TrimSpace(w.Body.String()) != `{"id":"edge-1","region":"eu-west"}` {
		t.Errorf("ping: %d %s", w.Code, w.Body)
	}
	if w := get(n, http.MethodGet, "/healthz"); w.Code != http.StatusOK {
		t.Errorf("healthz: %d", w.Code)
	}
	if w := get(n, http.MethodGet, "/readyz"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("readyz before a link: %d", w.Code)
	}
	n.draining.Store(true)
	refused(t, get(n, http.MethodGet, "/v1/ping"), http.StatusServiceUnavailable, wire.Unavailable)
	w := get(n, http.MethodGet, "/v1/publish")
	refused(t, w, http.StatusNotFound, wire.NotFound)
	if !strings.Contains(w.Body.String(), "/v1/socket") {
		t.Errorf("404 does not say what is served: %s", w.Body)
	}
}
