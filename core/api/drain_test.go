package api_test

import (
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"selvedge/core/api"
)

func TestDrain(t *testing.T) {
	r := newRig(t)
	const path = "/v1/cluster/nodes/edge-1/drain"
	const want = `{"node":"edge-1","role":"edge","state":"draining"}`
	for _, body := range []string{"", "{}", `{"force":true}`} {
		if got := r.must(t, 202, "POST", path, body); got != want {
			t.Errorf("%q: got %s, want %s", body, got, want)
		}
	}
	// A body whose length nobody told.
	if w := r.do("POST", path, io.MultiReader(strings.NewReader(`{"force":`), strings.NewReader("false}"))); w.Code != 202 {
		t.Errorf("in parts: %d %s", w.Code, w.Body)
	}
	r.must(t, 202, "POST", "/v1/cluster/nodes/general/drain", `{"force":true}`, "Authorization", "Bearer other-key")
	if diff := cmp.Diff([]string{"dev edge-1", "dev edge-1", "dev edge-1", "dev edge-1", "other general"}, r.drained); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, c := range []struct {
		method, path, body string
		status             int
		code, field        string
	}{
		{"POST", "/v1/cluster/nodes/general/drain", `{}`, 409, "conflict", ""},
		{"POST", "/v1/cluster/nodes/edge-9/drain", ``, 404, "not_found", ""},
		{"POST", "/v1/cluster/nodes/a%20b/drain", ``, 400, "bad_request", "node"},
		{"POST", "/v1/cluster/nodes/a%2fb/drain", ``, 400, "bad_request", "node"},
		{"POST", "/v1/cluster/nodes/" + strings.Repeat("n", 129) + "/drain", ``, 400, "bad_request", "node"},
		{"POST", path, `{"forced":true}`, 400, "bad_request", "forced"},
		{"POST", path, `{"force":"yes"}`, 400, "bad_request", "force"},
		{"GET", path, ``, 405, "method_not_allowed", ""},
	} {
		if code, field, _ := problemOf(t, r.must(t, c.status, c.method, c.path, c.body)); code != c.code || field != c.field {
			t.Errorf("%s %s %s: %s, field %q", c.method, c.path, c.body, code, field)
		}
	}
	r.must(t, 401, "POST", path, ``, "Authorization", "")
	r.must(t, 401, "POST", path, ``, "Authorization", "Bearer wrong")
	if len(r.drained) != 5 {
		t.Errorf("drained without leave: %q", r.drained)
	}
}

// A core that passes no orders on says so.
func TestDrainByNobody(t *testing.T) {
	h := api.New(api.Config{Keys: keys{"dev": "dev"}})
	request := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/cluster/nodes/edge-1/drain", nil)
	request.Header.Set("Authorization", "Bearer dev")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request)
	if w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
