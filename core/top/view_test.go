package top

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"selvedge/core/client"
	"selvedge/core/top/screen"
	"selvedge/topology"
	"selvedge/wire"
)

func TestViewWide(t *testing.T) {
	const want = `
selvedge top  core-1, core-2  epoch e1  8 logs  12:00:00
2 cores, 4 edges, 1 starting   sockets 750/18000   users 748
publishes 120/s   deliveries 7500/s   to edges: oceans 2.5kB/s, region 1.2kB/s

NODE▲     ROLE  STATE     LOAD    SOCKETS  USERS  FRAMES/S  DELIV/S  BYTES/S    RTT  DELAY  LOGS     UP  VERSION
asia            1/2       0.81          -      -         -        -        -  150ms      -     1
  seoul   edge  starting  0.00          -      -         -        -        -      -      -     -      -  v1.2
  tokyo   edge  ready     0.81          -      -         -        -        -  150ms      -     1      -  v1.2
eu              2/2       0.97  750/18000    748        40     7500   10.0kB   68ms   42ms     7
  oslo    edge  ready     0.97   700/9000    699        20     7000    5.0kB   68ms   42ms     1  3m20s  v1.2
  paris   edge  ready     0.30    50/9000     49        20      500    5.0kB   68ms   42ms     6  1m41s  v1.2
us-east         2/2
  core-1  core  ready        -          -      -         -        -        -      -      -     -  2h01m  v1.2
  core-2  core  ready        -          -      -         -        -        -      -      -     -  1m00s  v1.2

RELAYS  EDGE   FROM    LOGS  WHICH
asia    tokyo  core-2     1  4
eu      oslo   core-1     1  3
eu      paris  core-1     4  0-2 5 state
eu      paris  core-2     2  6-7

q quit  ? help  underlined letters sort, again: reverse`
	if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), window(looking(two(), 120, 22))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Where there is less room, there are fewer columns, but always that one which
// the table is sorted by.
func TestViewNarrow(t *testing.T) {
	title := func(width int, keys ...screen.Key) string {
		m := looking(two(), width, 24)
		press(m, keys...)
		return strings.Join(strings.Fields(strings.Split(window(m), "\n")[4]), " ")
	}
	for _, test := range []struct {
		width int
		keys  []screen.Key
		want  string
	}{
		{80, nil, "NODE▲ ROLE STATE LOAD SOCKETS FRAMES/S DELIV/S RTT DELAY LOGS"},
		{80, []screen.Key{"v"}, "NODE STATE LOAD SOCKETS FRAMES/S DELIV/S RTT DELAY VERSION▲"},
		{60, nil, "NODE▲ STATE LOAD SOCKETS DELIV/S RTT DELAY"},
		{30, nil, "NODE▲ STATE LOAD"},
		{30, []screen.Key{"u"}, "NODE STATE USERS▼"},
		{10, nil, "NODE▲"},
	} {
		if got := title(test.width, test.keys...); got != test.want {
			t.Errorf("%d columns, after %q: %s, want %s", test.width, test.keys, got, test.want)
		}
	}
}

// No window is too small, and nothing that other machines are called gets out of
// its place.
func TestViewFits(t *testing.T) {
	evil := two()
	c := &evil[0].cluster
	c.Epoch = "\x1b[2J"
	c.Nodes[2].Region, c.Nodes[3].Region = strings.Repeat("東京", 30), "a\r\nb\x1b]0;x\a"
	c.Nodes[3].Version = "\x9b31m"
	c.Links[0].Region = c.Nodes[2].Region
	c.Links[1].Node = topology.NodeID("\x1bc")
	for p := range wire.LogID(200) {
		c.Links[1].Logs = append(c.Links[1].Logs, 2*p)
	}
	evil = append(evil, answer{url: "http://c", err: fmt.Errorf("core: %s\x1b[2J", strings.Repeat("long ", 50))})
	for _, w := range []int{0, 1, 2, 3, 5, 8, 13, 21, 34, 40, 55, 79, 80, 81, 120, 200} {
		for _, h := range []int{0, 1, 2, 3, 5, 8, 24} {
			m := looking(evil, w, h)
			for _, k := range []screen.Key{"", "u", screen.End, "?"} {
				press(m, k)
				fits(t, m)
			}
		}
	}
}

// fits fails unless the view is as large as its window, and has nothing in it
// that moves a cursor.
func fits(t *testing.T, m *model) {
	t.Helper()
	lines := m.view()
	if m.width > 0 && len(lines) != m.height {
		t.Errorf("%d lines of %d", len(lines), m.height)
	}
	for _, l := range lines {
		seen := styles.ReplaceAllString(l, "")
		if width(seen) > m.width || strings.ContainsFunc(seen, unicode.IsControl) {
			t.Errorf("%q has %d columns, of %d", seen, width(seen), m.width)
		}
	}
}

// Colours come and go within their line.
func TestViewHasColours(t *testing.T) {
	m := looking(two(), 140, 24)
	text := strings.Join(m.view(), "\n")
	for what, want := range map[string]string{
		"an edge that is full":         "\x1b[1;31m0.97\x1b[0m",
		"one that is nearly":           "\x1b[33m0.81\x1b[0m",
		"a node that is ready":         "\x1b[32mready   \x1b[0m",
		"one that is not":              "\x1b[33mstarting\x1b[0m",
		"the letter that sorts by it":  "\x1b[1;4;7mU\x1b[0m\x1b[1;7mSERS\x1b[0m",
		"a letter in the midst of one": "\x1b[1;7mDELA\x1b[0m\x1b[1;4;7mY\x1b[0m",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s: %q is missing in %q", what, want, text)
		}
	}
	open := regexp.MustCompile(`\x1b\[[1-9][0-9;]*m[^\x1b]*(\x1b\[[1-9]|$)`)
	m.tick(noon.Add(time.Hour))
	for _, l := range m.view() {
		if open.MatchString(l) {
			t.Errorf("%q ends in a colour", l)
		}
	}
	if !strings.Contains(strings.Join(m.view(), "\n"), "\x1b[2m  paris") {
		t.Error("what is old is not faint")
	}
}

// Edges tell several cores of themselves: what was told last counts, but logs
// add up. Of what was never told nothing is shown.
func TestDraw(t *testing.T) {
	p, ok := draw(noon, two())
	if !ok || len(p.nodes) != 6 || p.published != 120 || p.oceans != 2500 || p.regionBytes != 15 {
		t.Fatalf("%v, %+v", ok, p)
	}
	answers := two()
	answers[0], answers[1] = answers[1], answers[0]
	turned, _ := draw(noon, answers)
	for i, n := range p.nodes {
		if got, want := fmt.Sprint(turned.nodes[i]), fmt.Sprint(n); got != want {
			t.Errorf("in another order %s, want %s", got, want)
		}
	}
	if _, ok := draw(noon, gone()); ok {
		t.Error("there is a picture of nothing")
	}
	if p, ok := draw(noon, []answer{{cluster: client.Cluster{Core: "old"}}}); !ok || len(p.nodes) != 0 {
		t.Errorf("a core that knows nobody: %v, %+v", ok, p)
	}
}

// An edge whose logs come from a relay may take the state log alone; who takes
// nothing, as a link begins, is no relay.
func TestRelays(t *testing.T) {
	p, _ := draw(noon, []answer{{cluster: client.Cluster{Core: "core-1", Links: []client.Link{
		{Node: "oslo", Region: "eu", State: true}, {Node: "paris", Region: "eu", Logs: []wire.LogID{0, 1, 3}}, {Node: "rome", Region: "eu"},
	}}}})
	var got []string
	for _, l := range p.relays(0) {
		got = append(got, l.text())
	}
	want := []string{"RELAYS  EDGE   FROM    LOGS  WHICH", "eu      oslo   core-1     0  state", "eu      paris  core-1     3  0-1 3"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	p.feeds = nil
	if got := p.relays(0); got != nil {
		t.Errorf("without links there is %v", got)
	}
}
