package config_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"selvedge/internal/config"
)

// cli is a small binary with the shapes that the real one has.
type cli struct {
	Core struct {
		run
		APIAddr string            `help:"Address of the API." default:"127.0.0.1:7400"`
		Data    string            `help:"Data folder." placeholder:"DIR"`
		Sync    string            `help:"When the log is flushed." enum:"default,always" default:"default"`
		Window  time.Duration     `help:"Window of idempotency." default:"2m"`
		Logs    int               `help:"Number of frame logs." default:"16"`
		Ratio   float64           `help:"Share." default:"0.5"`
		Dev     bool              `help:"Dev keys."`
		Join    []string          `help:"Seeds." placeholder:"ADDR"`
		Waits   []time.Duration   `help:"Waits." default:"1s,2s"`
		Regions map[string]string `help:"Places."`
	} `cmd:"" help:"A core."`
	Publish struct {
		run
		Core    string `help:"The core's URL." default:"http://127.0.0.1:7400"`
		Channel string `arg:""`
	} `cmd:"" help:"Publish."`
	Cert struct {
		Node struct {
			run
			Role string `required:"" enum:"core,edge"`
		} `cmd:""`
	} `cmd:"" help:"Certificates."`
	Config  config.ConfigCommand  `cmd:"" help:"Settings."`
	Version config.VersionCommand `cmd:"" help:"Version."`
	Verbose bool                  `help:"Say more."`

	failure error `kong:"-"`
}

type run struct{}

func (run) Run(ctx context.Context, stdio *config.IO, c *cli) error {
	if ctx == nil || stdio == nil {
		return errors.New("nothing bound")
	}
	return c.failure
}

type result struct {
	Status         int
	Stdout, Stderr string
}

func start(t *testing.T, c *cli, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	stdio := config.IO{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs}
	status := config.Main(t.Context(), args, stdio, c)
	return result{status, out.String(), errs.String()}
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "selvedge.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPrecedence(t *testing.T) {
	path := file(t, "core:\n  api_addr: file:1\n  data: /file\n  sync: always\nverbose: true\n")
	tests := []struct {
		name, env, want string
		args            []string
	}{
		{name: "default", want: "127.0.0.1:7400"},
		{name: "file over default", args: []string{"--config", path}, want: "file:1"},
		{name: "environment over file", env: "env:1", args: []string{"--config", path}, want: "env:1"},
		{name: "flag over environment", env: "env:1", args: []string{"--config", path, "--api-addr", "flag:1"}, want: "flag:1"},
		{name: "flag over file", args: []string{"--config", path, "--api-addr", "flag:1"}, want: "flag:1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.env != "" {
				t.Setenv("SELVEDGE_CORE_API_ADDR", tt.env)
			}
			var c cli
			if got := start(t, &c, append([]string{"core"}, tt.args...)...); got.Status != 0 {
				t.Fatalf("failed: %+v", got)
			}
			if c.Core.APIAddr != tt.want {
				t.Errorf("api addr = %q, want %q", c.Core.APIAddr, tt.want)
			}
			if withFile := tt.args != nil; withFile != (c.Core.Data == "/file") || withFile != c.Verbose {
				t.Errorf("file given: %v, but data %q, verbose %v", withFile, c.Core.Data, c.Verbose)
			}
		})
	}
}

func TestEnvironmentNames(t *testing.T) {
	t.Setenv("SELVEDGE_CORE_JOIN", "a:1,b:2")
	t.Setenv("SELVEDGE_PUBLISH_CORE", "http://c")
	t.Setenv("SELVEDGE_CERT_NODE_ROLE", "edge")
	t.Setenv("SELVEDGE_VERBOSE", "true")
	t.Setenv("SELVEDGE_CONFIG", file(t, "core: {logs: 8}"))
	var c cli
	for _, args := range [][]string{{"core"}, {"publish", "room:x"}, {"cert", "node"}} {
		if got := start(t, &c, args...); got.Status != 0 {
			t.Fatalf("%v: %+v", args, got)
		}
		switch args[0] {
		case "core":
			if diff := cmp.Diff([]string{"a:1", "b:2"}, c.Core.Join); diff != "" || c.Core.Logs != 8 || !c.Verbose {
				t.Errorf("core: join %s, logs %d, verbose %v", diff, c.Core.Logs, c.Verbose)
			}
		case "publish":
			if c.Publish.Core != "http://c" {
				t.Errorf("publish: core = %q", c.Publish.Core)
			}
		case "cert":
			if c.Cert.Node.Role != "edge" {
				t.Errorf("cert node: role = %q", c.Cert.Node.Role)
			}
		}
	}
}

func TestEveryTypeFromFile(t *testing.T) {
	path := file(t, `
core:
  window: 90s
  logs: 4
  ratio: 1
  dev: true
  join: [10.0.0.1:7402, "b,c:7402"]
  waits:
    - 3s
    - 4s
  regions: {mars: "1.5,-3"}
  data: |-
    /a
`)
	var c cli
	if got := start(t, &c, "core", "--config", path); got.Status != 0 {
		t.Fatalf("%+v", got)
	}
	got := []any{c.Core.Window, c.Core.Logs, c.Core.Ratio, c.Core.Dev, c.Core.Join, c.Core.Waits, c.Core.Regions, c.Core.Data}
	want := []any{90 * time.Second, 4, 1.0, true, []string{"10.0.0.1:7402", "b,c:7402"}, []time.Duration{3 * time.Second, 4 * time.Second}, map[string]string{"mars": "1.5,-3"}, "/a"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestBadUsage(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none.yaml")
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"nothing", nil, `selvedge: expected one of "core", "publish", "cert", "config", "version": see selvedge --help`},
		{"unknown command", []string{"cores"}, `selvedge: unexpected argument cores, did you mean "core"?: see selvedge --help`},
		{"unknown flag", []string{"core", "--api-adr", "x"}, `selvedge: unknown flag --api-adr, did you mean "--api-addr"?: see selvedge core --help`},
		{"missing argument", []string{"publish"}, `selvedge: expected "<channel>": see selvedge publish --help`},
		{"enum", []string{"core", "--sync", "never"}, `selvedge: --sync must be one of "default","always" but got "never"`},
		{"number", []string{"core", "--logs", "many"}, `selvedge: --logs: expected a valid 64 bit int but got "many"`},
		{"no such file", []string{"core", "--config", missing}, "selvedge: settings file " + missing + " can't be read: no such file or directory: check --config"},
		{"bad file", []string{"core", "--config", file(t, "core:\n  api_adr: x\n  lgs: 3\n")}, "selvedge: selvedge.yaml: line 2: unknown key core.api_adr: did you mean core.api_addr?\n" +
			"selvedge: selvedge.yaml: line 3: unknown key core.lgs: did you mean core.logs?"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := result{Status: 2, Stderr: tt.want + "\n"}
			if diff := cmp.Diff(want, start(t, &cli{}, tt.args...)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFailures(t *testing.T) {
	tests := []struct {
		name    string
		failure error
		want    result
	}{
		{"none", nil, result{}},
		{"one line", errors.New("disk is full"), result{1, "", "selvedge: disk is full\n"}},
		{"several lines become one", errors.Join(errors.New("a"), errors.New("b\r\nc")), result{1, "", "selvedge: a; b; c\n"}},
		{"usage", config.Usagef("give --dev or --key"), result{2, "", "selvedge: give --dev or --key\n"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, start(t, &cli{failure: tt.failure}, "core")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var errs bytes.Buffer
	status := config.Main(ctx, []string{"core"}, config.IO{Stderr: &errs}, &cli{failure: context.Canceled})
	if status != 1 || errs.String() != "selvedge: interrupted\n" {
		t.Errorf("status %d, %q", status, errs.String())
	}
}

func TestHelpEndsWell(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"core", "--help"}, {"cert", "--help"}, {"config", "check", "--help"}} {
		got := start(t, &cli{failure: errors.New("ran")}, args...)
		if got.Status != 0 || got.Stderr != "" || !strings.Contains(got.Stdout, "Usage: selvedge") {
			t.Errorf("%v: %+v", args, got)
		}
	}
}

func TestEnvironmentNameTakenTwice(t *testing.T) {
	var twice struct {
		Cert struct {
			NodeRole string
			Node     struct{ Role string } `cmd:""`
		} `cmd:""`
	}
	var errs bytes.Buffer
	status := config.Main(t.Context(), nil, config.IO{Stderr: &errs}, &twice)
	want := "selvedge: cert.node_role and cert.node.role would both be read from SELVEDGE_CERT_NODE_ROLE: rename one\n"
	if status != 1 || errs.String() != want {
		t.Errorf("status %d, %q", status, errs.String())
	}
}

func TestVersion(t *testing.T) {
	got := start(t, &cli{}, "version")
	if fields := strings.Fields(got.Stdout); got.Status != 0 || len(fields) != 5 || fields[0] != "selvedge" || fields[2] != "commit" || !strings.HasPrefix(fields[4], "go") {
		t.Errorf("%+v", got)
	}
}

func TestNoTerminal(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for _, stdio := range []config.IO{{Stderr: &bytes.Buffer{}}, {Stderr: f}, {}} {
		if stdio.Terminal() {
			t.Errorf("%T is taken for a terminal", stdio.Stderr)
		}
	}
}
