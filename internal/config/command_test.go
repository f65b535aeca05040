package config_test

import (
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
)

func TestCheckNamesEveryProblem(t *testing.T) {
	path := file(t, `# a file with everything wrong
core:
  api_adr: 127.0.0.1:7400
  logs: sixteen
  window: 30
  sync: sometimes
  join: 10.0.0.1:7402
  dev: "yes"
  data: 5
  waits: [1s, soon]
  regions: [a]
  api-addr: x
  logs_: &a 3
edge: {}
api_addr: x
publish: https://core
version:
`)
	want := result{Status: 1, Stderr: strings.ReplaceAll(`line 3: unknown key core.api_adr: did you mean core.api_addr?
line 4: core.logs: want a whole number, got "sixteen"
line 5: core.window: want a duration such as 30s, got 30
line 6: core.sync: "sometimes" is none of default, always
line 7: core.join: want a list such as [a, b], got "10.0.0.1:7402"
line 8: core.dev: want true or false, got "yes"
line 9: core.data: want text, got 5: put it in quotes
line 10: core.waits: expected duration but got "soon": time: invalid duration "soon"
line 11: core.regions: want a map such as {name: value}, got a list
line 12: unknown key core.api-addr: did you mean core.api_addr?
line 13: unknown key core.logs_: did you mean core.logs?
line 14: unknown key edge: see 'selvedge config print' for every key
line 15: unknown key api_addr: did you mean core.api_addr?
line 16: publish must hold settings as key: value, not "https://core"
line 17: unknown key version: see 'selvedge config print' for every key
`, "line ", "selvedge: selvedge.yaml: line ")}
	if diff := cmp.Diff(want, start(t, &cli{}, "config", "check", path)); diff != "" {
		t.Error(diff)
	}
}

func TestCheckRefusesWhatIsNoSettingsFile(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"syntax", "core:\n  logs: [1\n", "line 2: this is not YAML: "},
		{"tab", "core:\n\tlogs: 1\n", "line 2: this is not YAML: "},
		{"list", "- a\n", "line 1: the file must hold settings as key: value, not a list"},
		{"word", "hello\n", `line 1: the file must hold settings as key: value, not "hello"`},
		{"number key", "1: a\n", "line 1: a key must be a plain word, not 1"},
		{"twice", "core:\n  logs: 1\n  logs: 2\n", "line 3: this is not YAML: "},
		{"second document", "core: {}\n---\ncore: {}\n", "line 3: a second document begins: a settings file has one"},
		{"anchor", "core:\n  logs: &a 3\n", "line 2: core.logs: want a whole number, got something that a settings file can't have: &"},
		{"alias", "core:\n  data: &a x\n  api_addr: *a\n", "line 2: core.data: want text"},
		{"merge", "core:\n  <<: {logs: 1}\n", "line 2: a key must be a plain word, not <<"},
		{"binary", "\x00\x01\x02", "line 1: "},
		{"deep", strings.Repeat("[", 3000), "line 1: this is not YAML: "},
		{"big", strings.Repeat("# filler\n", 1<<17), "is larger than 1048576 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := start(t, &cli{}, "config", "check", file(t, tt.text))
			if got.Status != 1 || !strings.Contains(got.Stderr, tt.want) {
				t.Errorf("%+v, want status 1 and %q", got, tt.want)
			}
			for line := range strings.Lines(got.Stderr) {
				if !strings.HasPrefix(line, "selvedge: ") {
					t.Errorf("line %q", line)
				}
			}
		})
	}
}

func TestCheckAcceptsEmptyFiles(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "core:\n", "core: {}\n", "---\n"} {
		want := result{Stdout: "selvedge.yaml: ok, 0 settings\n"}
		if diff := cmp.Diff(want, start(t, &cli{}, "config", "check", file(t, text))); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
}

func TestPrintedSettingsAreAFileOfDefaults(t *testing.T) {
	printed := start(t, &cli{}, "config", "print")
	if printed.Status != 0 {
		t.Fatalf("%+v", printed)
	}
	for _, want := range []string{
		"\ncore:\n  # Address of the API.\n  # Flag --api-addr, environment SELVEDGE_CORE_API_ADDR.\n  api_addr: \"127.0.0.1:7400\"\n",
		"  # When the log is flushed (default, always).\n",
		"  # data: \"\"\n",
		"\ncert:\n\n  node:\n",
		"\nverbose: false\n",
	} {
		if !strings.Contains(printed.Stdout, want) {
			t.Errorf("%q is not in:\n%s", want, printed.Stdout)
		}
	}
	var values map[string]any
	if err := yaml.Unmarshal([]byte(printed.Stdout), &values); err != nil {
		t.Fatalf("not YAML: %v", err)
	}
	path := file(t, printed.Stdout)
	if got := start(t, &cli{}, "config", "check", path); got.Status != 0 || got.Stdout == "selvedge.yaml: ok, 0 settings\n" {
		t.Errorf("check of what print printed: %+v", got)
	}
	var plain, fromFile cli
	start(t, &plain, "core")
	start(t, &fromFile, "core", "--config", path)
	if diff := cmp.Diff(plain.Core, fromFile.Core, cmp.AllowUnexported(run{}), cmp.FilterPath(func(p cmp.Path) bool {
		return p.Last().String() == ".run"
	}, cmp.Ignore())); diff != "" {
		t.Errorf("the printed file changes settings: %s", diff)
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("core:\n  logs: 3\n")
	f.Add("core: {join: [a, b], regions: {a: b}}\n")
	f.Add("core: &a\n  logs: *a\n")
	f.Add("? a\n: b\n")
	f.Fuzz(func(t *testing.T, text string) {
		got := start(t, &cli{}, "config", "check", file(t, text))
		if got.Status == 0 == (got.Stderr != "") {
			t.Errorf("%+v", got)
		}
	})
}
