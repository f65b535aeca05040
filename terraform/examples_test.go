//go:build terraform

package terraform

import (
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// secretARNs are the secrets of the examples; there are none behind them.
func secretARNs(names ...string) string {
	var lines []string
	for _, name := range names {
		lines = append(lines, fmt.Sprintf("%s = %q", name, arn("secretsmanager:us-east-1", "secret:"+name)))
	}
	cores := []string{}
	for _, letter := range []string{"a", "b", "c"} {
		cores = append(cores, fmt.Sprintf("%q", arn("secretsmanager:us-east-1", "secret:core-"+letter)))
	}
	return "{\n" + strings.Join(lines, "\n") + "\ncores = [" + strings.Join(cores, ", ") + "]\n}"
}

func arn(service, what string) string { return "arn:aws:" + service + ":123456789012:" + what }

// given are values for the variables of all examples that have no default.
func given(more map[string]string) map[string]string {
	all := map[string]string{
		"domain":  `"rt.example.com"`,
		"zone_id": `"Z0123456789"`,
		"binary":  fmt.Sprintf(`{ url = "https://artifacts.example.com/selvedge", sha256 = %q }`, strings.Repeat("0", 64)),
		"secrets": secretARNs("ca", "ca_key", "gossip_key", "api_keys", "token"),
	}
	maps.Copy(all, more)
	return all
}

var (
	acm = map[string]string{"certificate_arn": fmt.Sprintf("%q", arn("acm:us-east-1", "certificate/1"))}
	tls = map[string]string{"tls_secret_arn": fmt.Sprintf("%q", arn("secretsmanager:us-east-1", "secret:tls"))}
)

func with(base map[string]string, more ...string) map[string]string {
	all := maps.Clone(base)
	for i := 0; i < len(more); i += 2 {
		all[more[i]] = more[i+1]
	}
	return all
}

// Each example, in each of its forms, is applied on the stand-in, is then as it was
// asked for, and goes again without a trace.
func TestExamples(t *testing.T) {
	tests := []struct {
		name, dir string
		values    map[string]string
		resources int
		client    string
		publish   string
	}{
		{"minimal", "aws-minimal", acm, 50, "https://rt.example.com", "http://api.rt.example.com"},
		{"three regions", "aws-three-regions", tls, 124, "https://rt.example.com", "http://api.rt.example.com"},
		{
			"three regions, peered, with affinity", "aws-three-regions",
			with(tls, "connectivity", `"peered"`, "addressing", `"per_edge"`, "accelerator", "true", "alarms", "{ enabled = true }"),
			180, "https://rt.example.com", "http://api.rt.example.com",
		},
		{
			"existing network", "aws-existing-vpc",
			with(acm, "region", `"eu-west-1"`, "vpc_id", `"vpc-1"`, "subnets", `{ eu-west-1a = "subnet-a", eu-west-1b = "subnet-b", eu-west-1c = "subnet-c" }`),
			47, "https://rt.example.com", "http://api.rt.example.com",
		},
	}
	w := newTree(t)
	w.standIn(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join("examples", tt.dir)
			var text strings.Builder
			for name, value := range given(tt.values) {
				fmt.Fprintf(&text, "%s = %s\n", name, value)
			}
			w.write(t, filepath.Join(dir, "terraform.tfvars"), text.String())
			w.run(t, dir, "init", "-no-color")
			w.run(t, dir, "validate", "-no-color")
			out := w.apply(t, dir)
			if added := countOf(t, out, `Apply complete! Resources: (\d+) added, 0 changed, 0 destroyed`); added != tt.resources {
				t.Errorf("%d resources, want %d: what is made has changed: is the cost table of docs/terraform.md still right?", added, tt.resources)
			}
			var client, publish string
			w.output(t, dir, "client_url", &client)
			w.output(t, dir, "publish_url", &publish)
			if client != tt.client || publish != tt.publish {
				t.Errorf("clients at %s, backends at %s; want %s and %s", client, publish, tt.client, tt.publish)
			}
			var listen string
			w.output(t, dir, "listen", &listen)
			if out, err := exec.Command("bash", "-n", "-c", listen).CombinedOutput(); err != nil || !strings.Contains(listen, "selvedge listen --edge "+tt.client+" ") {
				t.Errorf("a line that listens: %v\n%s\n%s", err, listen, out)
			}
			if out, status, err := w.try(dir, "plan", "-detailed-exitcode", "-no-color"); err != nil || status != 0 {
				t.Errorf("plan again: status %d, %v\n%s", status, err, out)
			}
			out = w.run(t, dir, "destroy", "-auto-approve", "-no-color")
			if gone := countOf(t, out, `Destroy complete! Resources: (\d+) destroyed`); gone != tt.resources {
				t.Errorf("%d of %d are gone", gone, tt.resources)
			}
		})
	}
}

// countOf is the number in a line of terraform's.
func countOf(t *testing.T, out, pattern string) int {
	t.Helper()
	found := regexp.MustCompile(pattern).FindStringSubmatch(out)
	if found == nil {
		t.Fatalf("no line %q in\n%s", pattern, out)
	}
	var n int
	if _, err := fmt.Sscan(found[1], &n); err != nil {
		t.Fatal(err)
	}
	return n
}
