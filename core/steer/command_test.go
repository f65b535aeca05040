package steer

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"selvedge/core/client"
	"selvedge/internal/config"
	"selvedge/topology"
	"selvedge/wire"
)

// run runs `selvedge drain` with args, without a terminal.
func run(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var cli struct {
		Drain Command `cmd:""`
	}
	var out, errs bytes.Buffer
	status = config.Main(t.Context(), append([]string{"drain"}, args...), config.IO{Stdin: nil, Stdout: &out, Stderr: &errs}, &cli)
	return status, out.String(), errs.String()
}

const ready, draining = topology.StateReady, topology.StateDraining

const edgePath = "/v1/cluster/nodes/edge-1/drain"

func TestDrainIsWatched(t *testing.T) {
	c := newCore(t, linked(ready, 40), linked(draining, 40), linked(draining, 7), with())
	status, stdout, stderr := run(t, "--dev", "--core", c.url, "edge-1")
	if status != 0 || !strings.HasPrefix(stdout, "edge-1 has drained and left, in ") || strings.Count(stdout, "\n") != 1 {
		t.Errorf("status %d, %q", status, stdout)
	}
	if !strings.HasPrefix(stderr, "drain: edge-1: drains, 40 of 40 sockets left\n") {
		t.Errorf("progress %q", stderr)
	}
	if diff := cmp.Diff([]string{edgePath}, c.told()); diff != "" {
		t.Errorf("orders (-want +got):\n%s", diff)
	}

	c = newCore(t, linked(draining, 40), with(edge(ready)))
	if status, stdout, _ := run(t, "--dev", "--core", c.url, "edge-1"); status != 0 || !strings.Contains(stdout, "and is back") {
		t.Errorf("one that is back: status %d, %q", status, stdout)
	}

	c = newCore(t, linked(draining, 40))
	if status, stdout, stderr := run(t, "--dev", "--core", c.url, "--no-wait", "edge-1"); status != 0 || stdout != "edge-1 drains\n" || stderr != "" {
		t.Errorf("--no-wait: status %d, %q, %q", status, stdout, stderr)
	}
	status, stdout, stderr = run(t, "--dev", "--core", c.url, "--force", "--timeout", "1200ms", "edge-1")
	if status != 1 || stdout != "" || !strings.HasSuffix(stderr, "selvedge: drain: edge-1 has not left after 1.2s: it drains on\n") {
		t.Errorf("--timeout: status %d, %q, %q", status, stdout, stderr)
	}
	if diff := cmp.Diff([]string{edgePath, edgePath + " force"}, c.told()); diff != "" {
		t.Errorf("orders (-want +got):\n%s", diff)
	}
}

// Of several cores, the one that has a link to the node is told, and another one is asked
// when it does not answer.
func TestSeveralCores(t *testing.T) {
	far, stops, near := newCore(t, with(edge(ready)), with(edge(draining)), with()), newCore(t), newCore(t, linked(ready, 5))
	near.script = append(near.script, linked(draining, 5), client.Cluster{})
	cores := []string{"http://127.0.0.1:1", stops.url, far.url, near.url}
	status, stdout, stderr := run(t, "--dev", "--core", strings.Join(cores, ","), "edge-1")
	if status != 0 || !strings.Contains(stdout, "left") {
		t.Errorf("status %d, %q, %q", status, stdout, stderr)
	}
	if len(near.told()) != 1 || len(far.told())+len(stops.told()) != 0 {
		t.Errorf("orders: near %q, far %q, %q", near.told(), far.told(), stops.told())
	}
}

func TestRefusals(t *testing.T) {
	c := newCore(t, with(edge(ready)))
	unknown, needed := newCore(t, with()), newCore(t, with(edge(ready)))
	unknown.drain = wire.Error{Code: wire.NotFound, Message: `there is no node "edge-9": did you mean edge-1?`}
	needed.drain = wire.Error{Code: wire.Conflict, Message: "edge-1 is needed: no other edge of eu is ready"}
	dumb := newCore(t, with(edge(ready)))
	dumb.drain = wire.Error{Code: wire.Unavailable, Message: "edge-1 was told to drain, and has not said that it does"}
	stops := newCore(t)
	for _, test := range []struct {
		args   string
		status int
		says   string
	}{
		{"--dev edge-9 --core " + unknown.url, 1, "did you mean edge-1?"},
		{"--dev edge-1 --core " + needed.url, 1, "no other edge of eu is ready (--force)"},
		{"--dev edge-1 --core " + dumb.url, 1, "has not said that it does"},
		{"--key wrong edge-1 --core " + c.url, 1, "no such key"},
		{"--dev edge-1 --core http://127.0.0.1:1", 1, "no answer from 127.0.0.1:1"},
		{"--dev edge-1 --core " + stops.url, 1, stops.url + ": this core is stopping"},
		{"edge-1", 2, "the API key is missing"},
		{"--dev", 2, "<node>"},
		{"--dev --key x edge-1", 2, "exclude each other"},
		{"--dev a/b", 2, "slash"},
		{"--dev edge-1 --timeout 0s", 2, "use a positive time"},
		{"--dev edge-1 --core 127.0.0.1:7400", 2, `--core "127.0.0.1:7400" is no address of a core`},
	} {
		status, stdout, stderr := run(t, strings.Fields(test.args)...)
		if status != test.status || stdout != "" || !strings.Contains(stderr, test.says) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%q: status %d, %q, %q; want %d, %q", test.args, status, stdout, stderr, test.status, test.says)
		}
	}
	if len(c.told()) != 0 {
		t.Errorf("told without leave: %q", c.told())
	}
}
