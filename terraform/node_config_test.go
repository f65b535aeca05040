//go:build terraform

package terraform

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What node-config renders is taken by the real binary, in every form.
func TestConfigsAreTaken(t *testing.T) {
	w, binary := newTree(t), selvedge(t)
	const dir = "modules/node-config/tests/render"
	w.run(t, dir, "init", "-no-color")
	w.apply(t, dir)
	var configs map[string]string
	w.output(t, dir, "configs", &configs)
	if len(configs) != 4 {
		t.Errorf("%d configs", len(configs))
	}
	check := func(name, text string) (string, error) {
		t.Helper()
		file := filepath.Join(t.TempDir(), name+".yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(binary, "config", "check", file).CombinedOutput()
		return string(out), err
	}
	for name, text := range configs {
		if out, err := check(name, text); err != nil {
			t.Errorf("%s: %v\n%s\n%s", name, err, out, text)
		}
	}
	// The judge is one: it refuses what no node would take.
	wrong := strings.Replace(configs["edge"], `"drain_rate"`, `"drain_speed"`, 1)
	if out, err := check("wrong", wrong); err == nil || !strings.Contains(out, "unknown key edge.drain_speed") {
		t.Errorf("an unknown setting is taken: %s", out)
	}
}
