package main_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// bans say who may not import whom, and why. A package belongs to the room that
// its path begins with; a ban covers the whole room.
var bans = []struct {
	from   string
	to     []string
	except []string
	why    string
}{
	{
		from: "wire", to: []string{"topology", "core", "edge", "simulations"},
		why: "wire is what everybody agrees on: it can't depend on one side's view",
	},
	{
		from: "topology", to: []string{"wire", "core", "edge", "simulations"},
		why: "who is where is known without knowing what is said there; room state never travels by gossip",
	},
	{
		from: "core", to: []string{"edge", "simulations"},
		why: "core and edge are separate nodes: whatever both need is a promise, and stands in wire",
	},
	{
		from: "edge", to: []string{"core", "simulations"},
		why: "core and edge are separate nodes: whatever both need is a promise, and stands in wire",
	},
	{
		from: "internal", to: []string{"core", "edge", "simulations"},
		why: "internal holds small things for all rooms: one that knows a room belongs into it",
	},
	{
		from: "internal", to: []string{"topology"}, except: []string{"internal/node"},
		why: "keys, settings and metrics don't depend on who is where; only a node's own flags name its region",
	},
	{
		from: "wire", to: []string{"net", "net/http", "os", "github.com/quic-go/quic-go"}, except: []string{"wire/link"},
		why: "frames and codecs do no I/O: the link does",
	},
	{
		from: "topology", to: []string{"net/http", "os", "github.com/hashicorp/memberlist"}, except: []string{"topology/gossip"},
		why: "distance, ranking and relay plans are pure functions: the gossip adapter does the I/O",
	},
}

// vague are package names that say nothing of what is inside.
var vague = []string{"util", "utils", "common", "helper", "helpers", "manager", "misc", "base", "shared"}

// source is a parsed Go file of ours.
type source struct {
	dir, file string
	ast       *ast.File
}

func (s source) test() bool { return strings.HasSuffix(s.file, "_test.go") }

func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	root := os.DirFS(".")
	err := fs.WalkDir(root, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || d.Name() == "node_modules" || p != "." && strings.HasPrefix(d.Name(), ".")):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(p, ".go"):
			return nil
		}
		text, err := fs.ReadFile(root, p)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), p, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		all = append(all, source{dir: path.Dir(p), file: p, ast: parsed})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("only %d files found: the test looks in the wrong place", len(all))
	}
	return all
}

// within reports whether package p is room or below it.
func within(p, room string) bool { return p == room || strings.HasPrefix(p, room+"/") }

// banned gives the reason why a file of package from may not import to.
func banned(from, to string) (why string, is bool) {
	for _, b := range bans {
		if !within(from, b.from) || slices.ContainsFunc(b.except, func(e string) bool { return within(from, e) }) {
			continue
		}
		for _, target := range b.to {
			local, ours := strings.CutPrefix(to, "selvedge/")
			if ours && within(local, target) || !ours && to == target {
				return b.why, true
			}
		}
	}
	return "", false
}

func TestImportsPointOneWay(t *testing.T) {
	for _, s := range sources(t) {
		for _, imported := range s.ast.Imports {
			to, err := strconv.Unquote(imported.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			// Tests of pure packages may read files and the like, but know no
			// other rooms either.
			if s.test() && !strings.HasPrefix(to, "selvedge/") {
				continue
			}
			if why, is := banned(s.dir, to); is {
				t.Errorf("%s imports %s: %s", s.file, to, why)
			}
		}
	}
}

func TestTheRuleItself(t *testing.T) {
	tests := []struct {
		from, to string
		banned   bool
	}{
		{"core/api", "selvedge/edge/cache", true},
		{"edge", "selvedge/core", true},
		{"wire/link", "selvedge/topology", true},
		{"topology/gossip", "selvedge/wire", true},
		{"internal/identity", "selvedge/topology", true},
		{"internal/identity", "selvedge/wire", false},
		{"internal/node", "selvedge/topology/region", false},
		{"internal/node", "selvedge/core", true},
		{"core", "selvedge/simulations/dev", true},
		{"wire", "net", true},
		{"wire/link", "net", false},
		{"topology", "github.com/hashicorp/memberlist", true},
		{"topology/gossip", "github.com/hashicorp/memberlist", false},
		{"core", "selvedge/wire/link", false},
		{"edge/client", "selvedge/topology", false},
		{"simulations/dev", "selvedge/core", false},
		{".", "selvedge/edge", false},
		{"wire", "net/netip", false},
	}
	for _, tt := range tests {
		if why, is := banned(tt.from, tt.to); is != tt.banned {
			t.Errorf("%s -> %s: banned = %v (%s), want %v", tt.from, tt.to, is, why, tt.banned)
		}
	}
}

func TestEveryPackageHasACharterAndAName(t *testing.T) {
	charter := map[string]bool{}
	packages := map[string]string{}
	for _, s := range sources(t) {
		if s.test() {
			continue
		}
		packages[s.dir] = s.ast.Name.Name
		if s.ast.Doc == nil {
			continue
		}
		if path.Base(s.file) == "doc.go" || s.ast.Name.Name == "main" {
			charter[s.dir] = true
		} else {
			t.Errorf("%s: the package's comment belongs into doc.go", s.file)
		}
	}
	for dir, name := range packages {
		if !charter[dir] {
			t.Errorf("package %s says nowhere what it is for: write a sentence in doc.go", dir)
		}
		if slices.Contains(vague, name) {
			t.Errorf("package %s is named %s, which tells nothing: name it after what it does", dir, name)
		}
	}
}
