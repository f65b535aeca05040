package fleet

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const exposition = `# HELP pause_seconds of something
# TYPE pause_seconds histogram
pause_seconds_bucket{le="1e-05"} 90
pause_seconds_sum 1.5
plain 3
with_label{a="b c",d="e"} 4e3
with_label{a="d",d=""} 2
with_label_too{a="d"} 1
`

func TestMetricsAreRead(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/metrics":
			_, _ = w.Write([]byte(exposition))
		case "/varz":
			_, _ = w.Write([]byte(`{"a":1}`))
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer s.Close()
	m, err := ReadMetrics(t.Context(), s.URL)
	if err != nil {
		t.Fatal(err)
	}
	if m["plain"] != 3 || m[`with_label{a="b c",d="e"}`] != 4000 || m[`pause_seconds_bucket{le="1e-05"}`] != 90 || len(m) != 6 {
		t.Errorf("%v", m)
	}
	if diff := cmp.Diff(map[string]float64{`a="b c",d="e"`: 4000, `a="d",d=""`: 2}, m.Labelled("with_label")); diff != "" || m.Sum("with_label") != 4002 {
		t.Errorf("%s, in all %v", diff, m.Sum("with_label"))
	}
	var state struct{ A int }
	if err := ReadState(t.Context(), s.URL, &state); err != nil || state.A != 1 {
		t.Errorf("%+v, %v", state, err)
	}
	if _, err := ReadMetrics(t.Context(), s.URL+"/nowhere"); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("what is not there: %v", err)
	}
	if _, err := ParseMetrics(strings.NewReader("a b c\n")); err == nil {
		t.Error("nonsense was read")
	}
}

func TestAddressesAreFree(t *testing.T) {
	addrs, err := FreeAddrs(20)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, a := range addrs {
		seen[a] = true
	}
	if len(seen) != 20 {
		t.Errorf("%d different ones of 20", len(seen))
	}
}
