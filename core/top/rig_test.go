package top

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"selvedge/core/client"
	"selvedge/core/top/screen"
	"selvedge/topology"
	"selvedge/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noon is when the tests' first look is answered.
var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func edge(id topology.NodeID, region string, load float64) topology.Node {
	return topology.Node{ID: id, Role: topology.RoleEdge, Region: region, State: topology.StateReady, Load: load, Version: "v1.2"}
}

func link(node topology.NodeID, region string, uptime float64, sockets int, logs ...wire.LogID) client.Link {
	return client.Link{
		Node: node, Region: region, Scope: "ocean", RTT: 68, Logs: logs, Uptime: uptime, Sockets: sockets, SocketsLimit: 9000, Users: sockets - 1,
		Delay: 41.5, Frames: 20, Delivered: float64(10 * sockets), Bytes: 5000, Fed: 600,
	}
}

// two is a cluster of two cores, of which each has other links.
func two() []answer {
	nodes := []topology.Node{
		{ID: "core-1", Role: topology.RoleCore, Region: "us-east", State: topology.StateReady, Version: "v1.2"},
		{ID: "core-2", Role: topology.RoleCore, Region: "us-east", State: topology.StateReady, Version: "v1.2"},
		edge("paris", "eu", 0.3), edge("oslo", "eu", 0.97), edge("tokyo", "asia", 0.81), edge("seoul", "asia", 0),
	}
	nodes[5].State = topology.StateStarting
	first := link("paris", "eu", 100, 40, 0, 1, 2, 5)
	first.State = true
	return []answer{
		{url: "http://a", cluster: client.Cluster{
			Core: "core-1", Uptime: 7300, Epoch: "e1", Logs: 8, Nodes: nodes, Published: 120, RegionBytes: 10, OceanBytes: 2000,
			Links: []client.Link{first, link("oslo", "eu", 200, 700, 3)},
		}},
		{url: "http://b", cluster: client.Cluster{
			Core: "core-2", Uptime: 60, Epoch: "e1", Logs: 8, Nodes: nodes[1:], Published: 119, RegionBytes: 5, OceanBytes: 500,
			Links: []client.Link{link("paris", "eu", 101, 50, 6, 7), {Node: "tokyo", Region: "asia", RTT: 150, Logs: []wire.LogID{4}}},
		}},
	}
}

// looking is a model that had one look at a window of this size.
func looking(answers []answer, width, height int) *model {
	m := &model{interval: time.Second}
	m.resize(width, height)
	m.looked(noon, answers)
	return m
}

var styles = regexp.MustCompile("\x1b\\[[0-9;]*m")

// window is what a person sees, without colours and spaces at the end.
func window(m *model) string {
	lines := m.view()
	for i := range lines {
		lines[i] = strings.TrimRight(styles.ReplaceAllString(lines[i], ""), " ")
	}
	return strings.Join(lines, "\n")
}

// shows fails unless the window has, or has not, some texts.
func shows(t *testing.T, m *model, has bool, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(window(m), text) != has {
			t.Errorf("%q is shown: %t, want %t:\n%s", text, !has, has, window(m))
		}
	}
}

// names are the rows' first words, in their order.
func names(m *model) []string {
	_, body := m.table()
	var out []string
	for _, l := range body {
		out = append(out, strings.Fields(l.text())[0])
	}
	return out
}

func press(m *model, keys ...screen.Key) {
	for _, k := range keys {
		m.key(k)
	}
}

// gone is what a core that is not there answers.
func gone() []answer {
	return []answer{{url: "http://a", err: errors.New("core: no answer from a: connection refused")}}
}

// without are the answers of a cluster that has lost a node.
func without(answers []answer, id topology.NodeID) []answer {
	out := slices.Clone(answers)
	for i := range out {
		out[i].cluster.Nodes = slices.DeleteFunc(slices.Clone(out[i].cluster.Nodes), func(n topology.Node) bool { return n.ID == id })
	}
	return out
}
