package api

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"
)

// The document and the table of calls name the same things.
func TestOpenAPINamesEveryCall(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(openAPI)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, c := range calls() {
		want = append(want, c.method+" "+c.path+" "+c.name)
	}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			got = append(got, method+" "+path+" "+op.OperationID)
			if open := op.Security != nil && len(*op.Security) == 0; open != (op.OperationID == "openapi") {
				t.Errorf("%s: needs no key: %t", op.OperationID, open)
			}
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("calls (-) and document (+):\n%s", diff)
	}
}

// DocumentedBodies are those that the document shows, as "METHOD path" -> bodies.
func DocumentedBodies(t *testing.T) map[string][]string {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(openAPI)
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string][]string)
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if op.RequestBody == nil {
				continue
			}
			key := method + " " + path
			for name, example := range op.RequestBody.Value.Content["application/json"].Examples {
				b, err := json.Marshal(example.Value.Value)
				if err != nil {
					t.Fatal(err)
				}
				if !strings.HasPrefix(string(b), "{") {
					t.Errorf("%s: example %s is %s", key, name, b)
				}
				out[key] = append(out[key], string(b))
			}
			if len(out[key]) == 0 {
				t.Errorf("%s has no example", key)
			}
		}
	}
	return out
}
