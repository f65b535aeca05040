package cluster

import (
	"bufio"
	"context"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"selvedge/edge"
	"selvedge/internal/identity/identitytest"
)

// family is what is known of a metric: the values of its labels, none of a label
// whose values aren't listed.
type family map[string][]string

var (
	sampleLine = regexp.MustCompile(`^(selvedge_\w+?)(_bucket|_sum|_count)?(\{.*\})? `)
	labelPair  = regexp.MustCompile(`(\w+)="([^"]*)"`)
	docLabel   = regexp.MustCompile("^`(\\w+)`(?:: (.*))?$")
)

// printed are our metrics as an admin port shows them.
func printed(t *testing.T, admin string) map[string]family {
	t.Helper()
	res, err := http.Get("http://" + admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	out := map[string]family{}
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		m := sampleLine.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		if out[m[1]] == nil {
			out[m[1]] = family{}
		}
		for _, pair := range labelPair.FindAllStringSubmatch(m[3], -1) {
			if name, value := pair[1], pair[2]; name != "le" && !slices.Contains(out[m[1]][name], value) {
				out[m[1]][name] = append(out[m[1]][name], value)
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// documented are the metrics that docs/operating.md lists for a role.
func documented(t *testing.T, role string) map[string]family {
	t.Helper()
	b, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]family{}
	in := ""
	for line := range strings.Lines(string(b)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		switch first := strings.TrimSpace(cells[0]); {
		case len(cells) == 3 && strings.TrimSpace(cells[1]) == "labels":
			in = first
		case in != role && in != "both" || len(cells) != 3 || !strings.HasPrefix(first, "`selvedge_"):
		default:
			f := family{}
			for part := range strings.SplitSeq(cells[1], ";") {
				if m := docLabel.FindStringSubmatch(strings.TrimSpace(part)); m != nil {
					f[m[1]] = nil
					if m[2] != "" {
						f[m[1]] = strings.Split(m[2], ", ")
					}
				}
			}
			out[strings.Trim(first, "`")] = f
		}
	}
	return out
}

// normal makes what is printed comparable: labels whose values the docs don't list
// count by their name, and values in any order.
func normal(of, docs map[string]family) map[string]family {
	for name, f := range of {
		for label, values := range f {
			if listed, known := docs[name][label]; known && listed == nil {
				f[label] = nil
			}
			slices.Sort(values)
		}
	}
	return of
}

// The docs list the metrics of a core and an edge, with their labels: all, and no
// others. Each is there from the start.
func TestMetricsAreThoseOfTheDocs(t *testing.T) {
	r := newRig(t)
	r.room("general", "u1") // a request has a code
	cfg := r.edgeConfig("e1", "eu-west", edge.DefaultTransport())
	cfg.TLS = identitytest.ServerKeys(t)
	run(t, "e1", func(ctx context.Context) error { return edge.Run(ctx, cfg) })
	r.await("http://" + cfg.AdminAddr + "/readyz")
	for role, admin := range map[string]string{"core": r.admin, "edge": cfg.AdminAddr} {
		docs := documented(t, role)
		if len(docs) < 8 {
			t.Fatalf("the docs list %d metrics of a %s", len(docs), role)
		}
		is := normal(printed(t, admin), docs)
		if diff := cmp.Diff(normal(docs, docs), is); diff != "" {
			t.Errorf("the metrics of a %s are (-docs +printed):\n%s", role, diff)
		}
	}
}
