//go:build terraform

package terraform

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the tables of the READMEs")

const (
	tablesBegin = "<!-- inputs and outputs: written by make terraform-docs -->\n"
	tablesEnd   = "<!-- end of inputs and outputs -->\n"
)

// entry is a variable or an output, by its attributes.
type entry struct {
	name string
	attr map[string]string
}

// entries are the blocks of a kind in a module's files. They are as terraform fmt
// writes them: a block's end stands alone, its attributes are indented by two.
func entries(t *testing.T, dir, kind string) []entry {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.tf"))
	if err != nil {
		t.Fatal(err)
	}
	begins := regexp.MustCompile(`^` + kind + ` "(\w+)" \{$`)
	attribute := regexp.MustCompile(`^  (\w+)\s+= (.*)$`)
	var all []entry
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var open *entry
		last := ""
		for line := range strings.SplitSeq(string(text), "\n") {
			if found := begins.FindStringSubmatch(line); found != nil {
				open, last = &entry{name: found[1], attr: map[string]string{}}, ""
				continue
			}
			switch found := attribute.FindStringSubmatch(line); {
			case open == nil:
			case line == "}":
				all = append(all, *open)
				open = nil
			case found != nil:
				last = found[1]
				open.attr[last] = found[2]
			case strings.HasPrefix(line, "   ") || line == "  }" || line == "  ]" || line == "  })":
				open.attr[last] = continued(open.attr[last], line)
			default: // another block in it
				last = ""
			}
		}
	}
	slices.SortFunc(all, func(a, b entry) int { return cmp.Compare(a.name, b.name) })
	return all
}

// continued is a value and a further line of it, as if it stood on one.
func continued(value, line string) string {
	line = strings.Join(strings.Fields(line), " ")
	switch {
	case value == "":
		return line
	case strings.HasSuffix(value, "(") || strings.HasSuffix(value, "["):
		return value + line
	case strings.HasSuffix(value, "{"), strings.HasSuffix(value, ","), strings.HasPrefix(line, "}"):
		return value + " " + line
	case strings.HasPrefix(line, "]"), strings.HasPrefix(line, ")"):
		return value + line
	}
	return value + ", " + line
}

// cell is text that fits a table's cell.
func cell(text string) string { return strings.ReplaceAll(strings.Trim(text, `"`), "|", `\|`) }

// tables are the inputs and outputs of a module.
func tables(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	if inputs := entries(t, dir, "variable"); len(inputs) > 0 {
		b.WriteString("\n| input | type | default | meaning |\n|---|---|---|---|\n")
		for _, v := range inputs {
			if v.attr["description"] == "" {
				t.Errorf("%s: the variable %s has no description", dir, v.name)
			}
			value := "needed"
			if given, ok := v.attr["default"]; ok {
				value = "`" + strings.ReplaceAll(given, "|", `\|`) + "`"
			}
			fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", v.name, cell(v.attr["type"]), value, cell(v.attr["description"]))
		}
	}
	if outputs := entries(t, dir, "output"); len(outputs) > 0 {
		b.WriteString("\n| output | meaning |\n|---|---|\n")
		for _, o := range outputs {
			if o.attr["description"] == "" {
				t.Errorf("%s: the output %s has no description", dir, o.name)
			}
			fmt.Fprintf(&b, "| `%s` | %s |\n", o.name, cell(o.attr["description"]))
		}
	}
	return b.String() + "\n"
}

// Every README has the module's inputs and outputs as they are. With -update it is
// made so.
func TestTables(t *testing.T) {
	files := []string{"local/README.md"}
	for _, pattern := range []string{"modules/*/README.md", "modules/aws/*/README.md", "examples/*/README.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) != 10 {
		t.Errorf("%d READMEs: each module and each example has one", len(files))
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		before, rest, ok := strings.Cut(string(text), tablesBegin)
		_, after, closed := strings.Cut(rest, tablesEnd)
		if !ok || !closed {
			t.Errorf("%s has no place for its tables", file)
			continue
		}
		want := before + tablesBegin + tables(t, filepath.Dir(file)) + tablesEnd + after
		switch {
		case want == string(text):
		case *update:
			if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		default:
			t.Errorf("%s does not have the inputs and outputs that there are: run 'make terraform-docs'", file)
		}
	}
}
