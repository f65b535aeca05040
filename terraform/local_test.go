//go:build terraform

package terraform

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The topology as processes: a message of one region arrives in every other; edges
// come, go and are replaced under load, with every client asked to move and no
// message lost; destroy leaves nothing.
func TestLocal(t *testing.T) {
	l := newLocal(t)
	l.scale(1, 1)
	t.Cleanup(func() { l.run("destroy", "-auto-approve", "-no-color") })
	l.applied()
	l.unchanged()
	var coreURL, keys string
	l.output(t, "local", "core_url", &coreURL)
	l.output(t, "local", "keys", &keys)
	c := newCrowd(t, coreURL, keys)
	for name, url := range l.edges() {
		for range 4 {
			c.join(name, url)
		}
	}
	// Twelve clients in three regions, and each publishes in turn.
	for range 2 * len(c.all) {
		if err := c.publish(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if r := c.settle(); r.Expected != r.Acknowledged*len(c.all) {
		t.Errorf("not everybody was to have everything: %v", r)
	}

	stop := c.load(10 * time.Millisecond)
	l.scale(3, 1)
	l.applied()
	for name, url := range l.edges() {
		if strings.HasPrefix(name, "eu-west-") && name != "eu-west-1" && !ready(url) {
			t.Errorf("%s is not ready though it was applied", name)
		}
	}
	before := l.pids()
	l.applied(`-replace=module.edge["us-east-1"].terraform_data.process`)
	after := l.pids()
	if before["us-east-1"] == after["us-east-1"] || before["eu-west-1"] != after["eu-west-1"] || before["core"] != after["core"] {
		t.Errorf("one edge was to be replaced: %v, now %v", before, after)
	}
	l.scale(1, 0)
	l.applied()
	if got := l.pids(); len(got) != 3 {
		t.Errorf("two edges and a core were to be left: %v", got)
	}
	stop()
	r := c.settle()
	t.Logf("over 3 -> 5 -> 2 edges, and one replaced: %v", r)
	var moved int64
	for _, x := range c.all {
		moved += x.moves.Load()
		if n := x.cuts.Load(); n > 0 {
			t.Errorf("%s of %s was cut %d times", x.user, x.region, n)
		}
		if strings.HasPrefix(x.region, "ap-southeast") && x.moves.Load() == 0 {
			t.Errorf("%s was at an edge that went, and was not asked to move", x.user)
		}
	}
	if moved < 8 {
		t.Errorf("%d moves; the clients of two edges are eight", moved)
	}
	if at := logOf(t, l.runDir, "ap-southeast-1"); !strings.Contains(at, "draining: clients are asked to move") {
		t.Errorf("the edge that went says nothing of its drain:\n%s", at)
	}
	l.unchanged()
}

// ready reports whether an edge's public port says that it is fit for traffic.
func ready(url string) bool {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get(url + "/readyz")
	if err != nil {
		return false
	}
	return res.Body.Close() == nil && res.StatusCode == http.StatusOK
}

func logOf(t *testing.T, dir, node string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, node+".log"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
