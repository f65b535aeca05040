package top

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"selvedge/core/client"
	"selvedge/internal/config"
	"selvedge/internal/identity"
	"selvedge/wire"
)

// run runs `selvedge top` with args, without a terminal.
func run(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var cli struct {
		Top Command `cmd:""`
	}
	var out, errs bytes.Buffer
	status = config.Main(t.Context(), append([]string{"top"}, args...), config.IO{Stdin: nil, Stdout: &out, Stderr: &errs}, &cli)
	return status, out.String(), errs.String()
}

// core answers as the API does.
func core(t *testing.T, says client.Cluster) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, body := http.StatusOK, any(says)
		if r.Header.Get("Authorization") != "Bearer "+identity.DevAPIKey {
			status, body = http.StatusUnauthorized, map[string]any{"error": map[string]string{"code": "unauthorized", "message": "no such key"}}
		}
		b, err := wire.Msgpack.Append(nil, body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", wire.Msgpack.ContentType())
		w.WriteHeader(status)
		_, _ = w.Write(b)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestOnce(t *testing.T) {
	both := two()
	a, b := core(t, both[0].cluster), core(t, both[1].cluster)
	status, stdout, stderr := run(t, "--dev", "--core", a+","+b, "--sort", "load")
	if status != 0 || stderr != "" {
		t.Errorf("status %d, %s", status, stderr)
	}
	lines := strings.Split(stdout, "\n")
	if len(lines) < 18 || !strings.HasPrefix(lines[0], "selvedge top  core-1, core-2") || !strings.Contains(lines[4], "LOAD▼") ||
		!strings.HasPrefix(lines[5], "eu  ") || !strings.HasPrefix(lines[6], "  oslo ") || !strings.Contains(stdout, "paris  core-1     4  0-2 5 state") {
		t.Errorf("it prints\n%s", stdout)
	}
	if strings.Contains(stdout, "\x1b") || strings.Contains(stdout, " \n") {
		t.Errorf("there are colours or spaces in %q", stdout)
	}

	// One of two is gone: the table, and a word on standard error.
	status, stdout, stderr = run(t, "--dev", "--core", a, "--core", "http://127.0.0.1:1")
	if status != 0 || !strings.Contains(stdout, "paris") || !strings.Contains(stderr, "no answer from 127.0.0.1:1") {
		t.Errorf("status %d, %s\n%s", status, stderr, stdout)
	}
}

func TestRefusals(t *testing.T) {
	url, page := core(t, client.Cluster{Core: "core-1"}), httptest.NewServer(http.NotFoundHandler())
	defer page.Close()
	for _, test := range []struct {
		args   string
		status int
		says   string
	}{
		{"--key wrong --core " + url, 1, "top: " + url + ": no such key"},
		{"--dev --core http://127.0.0.1:1", 1, "top: core: no answer from 127.0.0.1:1"},
		{"--dev --core " + url + "," + page.URL, 1, "top: " + page.URL + ": the answer was 404"}, // one will do, but not so
		{"", 2, "the API key is missing"},
		{"--dev --key x", 2, "exclude each other"},
		{"--dev --interval 1ms", 2, "use 100ms or more"},
		{"--dev --core 127.0.0.1:7400", 2, `--core "127.0.0.1:7400" is no address of a core`},
		{"--dev --sort nothing", 2, "use one of node, role, state, load"},
	} {
		status, stdout, stderr := run(t, strings.Fields(test.args)...)
		if status != test.status || stdout != "" || !strings.Contains(stderr, test.says) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%q: status %d, %q, %q; want %d, %q", test.args, status, stdout, stderr, test.status, test.says)
		}
	}
}
